#include "controller/service/controller.h"

#include <gtest/gtest.h>
#include <time.h>

#include "common/metadata/apply.h"
#include "common/metadata/snapshot.h"
#include "common/rpc/status_map.h"
#include "tests/unit/controller/service/controller_fixture.h"

namespace tidemark::controller {
namespace {

using std::chrono::milliseconds;

// Entries of a log: topics, then changes of their partitions.
class Tail {
 public:
  explicit Tail(Controller* controller) : controller_(controller) {}

  void Add(const std::vector<record_v1::Record>& records) {
    record_v1::RecordBatch batch;
    for (const auto& record : records) *batch.add_records() = record;
    entries_.push_back({++last_, 1, batch.SerializeAsString()});
  }
  static record_v1::Record Topic(int n) {
    record_v1::Record record;
    record.mutable_add_topic()->set_name("topic-" + std::to_string(n));
    record.mutable_add_topic()->set_topic_id(TestUuid(n).ToBytes());
    return record;
  }
  static record_v1::Record Partition(int topic, int index) {
    record_v1::Record record;
    auto* add = record.mutable_add_partition();
    add->set_topic_id(TestUuid(topic).ToBytes());
    add->set_partition(index);
    for (int i = 0; i < 3; ++i) {
      add->add_replicas((topic + i) % 50);
      add->add_isr((topic + i) % 50);
    }
    add->set_leader(topic % 50);
    return record;
  }
  static record_v1::Record Isr(int topic, int index, int size) {
    record_v1::Record record;
    auto* change = record.mutable_change_partition();
    change->set_topic_id(TestUuid(topic).ToBytes());
    change->set_partition(index);
    for (int i = 0; i < size; ++i) change->add_isr((topic + i) % 50);
    return record;
  }

  // As the quorum gives them: so many bytes a turn. The longest turn, and all
  // of them, in seconds of this thread's processor time.
  std::pair<double, double> Apply(size_t bytes_a_turn) {
    std::pair<double, double> out;
    std::span<const quorum::Committed> left = entries_;
    while (!left.empty()) {
      size_t n = 0;
      for (size_t bytes = 0; n < left.size() && bytes < bytes_a_turn; ++n) {
        bytes += left[n].data.size();
      }
      timespec from, to;
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
      controller_->Apply(left.first(n));
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
      const double turn = static_cast<double>(to.tv_sec - from.tv_sec) +
                          static_cast<double>(to.tv_nsec - from.tv_nsec) / 1e9;
      out = {std::max(out.first, turn), out.second + turn};
      left = left.subspan(n);
    }
    return out;
  }
  MetadataOffset last() const { return last_; }

 private:
  Controller* controller_;
  std::vector<quorum::Committed> entries_;
  MetadataOffset last_ = 0;
};

// D-7: a controller that starts, or was away, has up to 100,000 entries to
// apply. With an image copied for each that would be two minutes.
TEST_F(ControllerTest, ALongTailIsAppliedInShortTurns) {
  constexpr int kTopics = 10'000;
  Tail tail(&controller_);
  for (int topic = 1; topic <= kTopics; ++topic) {
    tail.Add({Tail::Topic(topic), Tail::Partition(topic, 0),
              Tail::Partition(topic, 1)});
  }
  for (int i = 0; tail.last() < 100'000; ++i) {
    tail.Add({Tail::Isr(1 + i * 7 % kTopics, i % 2, 1 + i / 3 % 3)});
  }
  const auto [longest, all] = tail.Apply(64 << 10);
  EXPECT_LT(longest, 0.5);
  EXPECT_LT(all, 20);
  EXPECT_EQ(controller_.committed()->offset(), 100'000);
  EXPECT_EQ(controller_.committed()->topics().size(), kTopics + 0u);
  // And it is the state a snapshot of it gives.
  auto again = metadata::FromRecords(
      metadata::ToRecords(*controller_.committed()), 100'000);
  ASSERT_TRUE(again);
  EXPECT_TRUE(metadata::Equal(*controller_.committed(), **again));
}

TEST_F(ControllerTest, NotActiveSaysWhoIs) {
  quorum_.SetLeader(2);
  auto reply = Create("t", 1, 1);
  ASSERT_TRUE(*reply);
  EXPECT_EQ((**reply).error().code, ErrorCode::kNotController);
  EXPECT_EQ(rpc::ParseActiveHint((**reply).error().message),
            (rpc::ActiveHint{2, "host2", 9093}));
}

TEST_F(ControllerTest, EpochIsTheOffsetOfTheRegistration) {
  quorum_.Elect(3);
  EXPECT_EQ(Register(1, 1), 2);
  EXPECT_EQ(Register(2, 2), 3);
  EXPECT_EQ(Register(1, 1), 2) << "same incarnation";
  EXPECT_TRUE(controller_.committed()->FindBroker(1)->fenced);
}

TEST_F(ControllerTest, AnswersOnlyWhenCommitted) {
  quorum_.Elect(1);
  Join(1);
  quorum_.hold = true;
  auto first = Create("t", 1, 1);
  auto again = Create("t", 1, 1);  // decided on the first, not yet committed
  EXPECT_FALSE(*first);
  EXPECT_FALSE(*again) << "says 'exists' only when that is committed";
  EXPECT_EQ(controller_.committed()->FindTopic("t"), nullptr);
  quorum_.CommitAll();
  ASSERT_TRUE(*first);
  ASSERT_TRUE(*again);
  EXPECT_EQ((**first)->topics(0).code(), 0);
  EXPECT_EQ((**again)->topics(0).code(),
            static_cast<int>(ErrorCode::kTopicAlreadyExists));
}

TEST_F(ControllerTest, LosingLeadershipForgetsWhatIsPending) {
  quorum_.Elect(1);
  Join(1);
  quorum_.hold = true;
  auto lost = Create("t", 1, 1);
  quorum_.Depose(2, /*commit=*/false);
  ASSERT_TRUE(*lost);
  EXPECT_EQ((**lost).error().code, quorum::kOutcomeUnknown);
  quorum_.hold = false;
  quorum_.Elect(5);
  auto again = Create("t", 1, 1);
  EXPECT_EQ((**again)->topics(0).code(), 0) << "pending was dropped";
}

// C-26: who gets kNotController may do the same again.
TEST_F(ControllerTest, AFailureSaysWhetherSomethingMayHaveChanged) {
  quorum_.Elect(1);
  Join(1);
  quorum_.hold = true;
  auto lost = Create("t", 1, 1);
  auto decided_on_it = Create("t", 1, 1);  // changes nothing
  quorum_.refuse = true;
  auto refused = Create("u", 1, 1);
  quorum_.Depose(2, /*commit=*/true);
  auto late = Create("v", 1, 1);
  EXPECT_EQ((**lost).error().code, quorum::kOutcomeUnknown);
  EXPECT_EQ((**decided_on_it).error().code, ErrorCode::kNotController);
  EXPECT_EQ((**refused).error().code, ErrorCode::kNotController);
  EXPECT_EQ((**late).error().code, ErrorCode::kNotController);
  EXPECT_TRUE(rpc::ParseActiveHint((**lost).error().message));
}

TEST_F(ControllerTest, WhatCommitsAfterTheLossIsApplied) {
  quorum_.Elect(1);
  Join(1);
  quorum_.hold = true;
  auto lost = Create("t", 1, 1);
  quorum_.Depose(2, /*commit=*/true);
  EXPECT_NE(controller_.committed()->FindTopic("t"), nullptr);
}

// D-11: a second process with the number of a broker, refused as one, keeps a
// feed. The death of the real one is noticed all the same.
TEST_F(ControllerTest, AFeedOfAnotherProcessKeepsNobodyUnfenced) {
  quorum_.Elect(1);
  BrokerEpoch epoch = Join(1);
  executor_.Advance(milliseconds(100));
  Subscribe(1, 0, 99);
  Beat(1, epoch);
  BreakFeed(1);
  executor_.Advance(milliseconds(250));
  Subscribe(1, 0, 98);
  executor_.Advance(milliseconds(60));
  EXPECT_TRUE(controller_.committed()->FindBroker(1)->fenced);
}

// D-12: nor does it get the place of a broker whose feed is away for a moment.
TEST_F(ControllerTest, NobodyTakesThePlaceOfABrokerWithinTheGrace) {
  quorum_.Elect(1);
  Join(1);
  BreakFeed(1);
  auto taken = [&] {
    auto impostor = RegisterOf(1, 99);
    impostor.set_directory_ids(0, TestUuid(4242).ToBytes());
    int32_t code = -1;
    controller_.Call(impostor, [&](Result<rpc_v1::RegisterResponse> r) {
      code = r->error().code();
    });
    return code == 0;
  };
  EXPECT_FALSE(taken());
  Subscribe(1, 0);
  EXPECT_FALSE(taken());
  BreakFeed(1);
  executor_.Advance(milliseconds(310));
  EXPECT_TRUE(taken()) << "the real one is fenced";
}

// D-13
TEST_F(ControllerTest, AfterAFailoverAFeedThatStaysAwayIsNoticed) {
  quorum_.Elect(1);
  BrokerEpoch epoch = Join(1);
  BreakFeed(1);
  quorum_.Depose(2, false);
  quorum_.Elect(2);
  for (int i = 0; i < 19; ++i) {
    executor_.Advance(milliseconds(100));
    EXPECT_FALSE(Beat(1, epoch).fenced());
  }
  executor_.Advance(milliseconds(150));
  EXPECT_TRUE(controller_.committed()->FindBroker(1)->fenced);
  EXPECT_TRUE(Beat(1, epoch).fenced()) << "not without its feed";
}

TEST_F(ControllerTest, NewActiveFencesNobodyForOneSession) {
  quorum_.Elect(1);
  Join(1);
  executor_.Advance(milliseconds(1500));
  quorum_.Depose(2, false);
  quorum_.Elect(2);
  executor_.Advance(milliseconds(1900));
  EXPECT_FALSE(controller_.committed()->FindBroker(1)->fenced);
  executor_.Advance(milliseconds(200));
  EXPECT_TRUE(controller_.committed()->FindBroker(1)->fenced);
}

TEST_F(ControllerTest, ControlledShutdownInTwoHeartbeats) {
  quorum_.Elect(1);
  BrokerEpoch one = Join(1);
  BrokerEpoch two = Join(2);
  ASSERT_EQ((**Create("t", 2, 2))->topics(0).code(), 0);
  auto first = Beat(1, one, true);
  EXPECT_FALSE(first.should_shut_down());
  EXPECT_EQ(P("t", 0).leader, 2);
  EXPECT_EQ(P("t", 1).leader, 2);
  EXPECT_FALSE(Beat(1, one, true).should_shut_down()) << "2 has not seen it";
  Beat(2, two);
  EXPECT_TRUE(Beat(1, one, true).should_shut_down());
  EXPECT_TRUE(controller_.committed()->FindBroker(1)->fenced);
}

TEST_F(ControllerTest, FeedGivesSnapshotThenTailInOrder) {
  quorum_.Elect(7);
  Join(1);
  auto all = Subscribe(1, 0);
  ASSERT_GE(all->messages.size(), 1u);
  EXPECT_TRUE(all->messages[0]->snapshot());
  // It is that of the one who came before; then what has come since.
  MetadataOffset last = all->messages[0]->last_offset();
  for (size_t i = 1; i < all->messages.size(); ++i) {
    EXPECT_EQ(all->messages[i]->base_offset(), last + 1);
    last = all->messages[i]->last_offset();
  }
  EXPECT_EQ(last, controller_.committed()->offset());
  size_t before = all->messages.size();
  Create("t", 1, 1);
  ASSERT_EQ(all->messages.size(), before + 1);
  const auto& live = *all->messages.back();
  EXPECT_EQ(live.controller_epoch(), 7);
  EXPECT_EQ(live.base_offset(), controller_.committed()->offset());
  EXPECT_EQ(live.batches_size(), 1);
  // From the tail, the first offset wanted on.
  auto tail = Subscribe(2, 2);
  EXPECT_FALSE(tail->messages[0]->snapshot());
  EXPECT_EQ(tail->messages[0]->base_offset(), 2);
  EXPECT_EQ(tail->messages[0]->batches_size(),
            controller_.committed()->offset() - 1);
  // Nothing missed: only the hello.
  auto current = Subscribe(3, controller_.committed()->offset() + 1);
  ASSERT_EQ(current->messages.size(), 1u);
  EXPECT_EQ(current->messages[0]->batches_size(), 0);
  EXPECT_EQ(current->messages[0]->controller_epoch(), 7);
  executor_.Advance(milliseconds(600));
  EXPECT_EQ(current->messages.size(), 2u) << "keep-alive";
  quorum_.Depose(2, false);
  ASSERT_TRUE(current->closed);
  EXPECT_EQ(rpc::ParseActiveHint(current->closed->message)->id, 2);
}

TEST_F(ControllerTest, FeedReplaysToTheSameImage) {
  quorum_.Elect(1);
  Join(1);
  auto sink = Subscribe(9, 1);
  for (int i = 0; i < 5; ++i) Create("t" + std::to_string(i), 3, 1);
  metadata::ImagePtr image;
  MetadataOffset next = 1;
  for (const auto& message : sink->messages) {
    if (message->batches().empty()) continue;
    ASSERT_EQ(message->base_offset(), next);
    for (const auto& batch : message->batches()) {
      image = *metadata::ApplyBatch(image, batch, next++, nullptr);
    }
    ASSERT_EQ(message->last_offset(), next - 1);
  }
  EXPECT_TRUE(metadata::Equal(*image, *controller_.committed()));
}

TEST_F(ControllerTest, AnotherClustersBrokerIsRefused) {
  quorum_.Elect(1);
  rpc_v1::SubscribeRequest r;
  r.set_cluster_id("d");
  auto status = controller_.Subscribe(r, std::make_shared<TestSink>());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kInconsistentClusterId);
}

TEST_F(ControllerTest, StandbyReachesTheSameStateByLogAndBySnapshot) {
  quorum_.Elect(1);
  Join(1);
  Join(2);
  Create("t", 3, 2);
  executor_.Advance(milliseconds(5000));  // fences
  Controller standby(TestOptions(2), &executor_, TestRandomness());
  FakeQuorum other(2, &standby);
  standby.Attach(&other);
  for (const auto& entry : quorum_.log) {
    other.ApplyEntry(entry.offset, entry.data);
  }
  EXPECT_TRUE(metadata::Equal(*standby.committed(), *controller_.committed()));
  Controller fresh(TestOptions(3), &executor_, TestRandomness());
  FakeQuorum third(3, &fresh);
  fresh.Attach(&third);
  (*fresh.ReadSnapshot(SharedBytes(ToBytes(*controller_.TakeSnapshot())),
                       controller_.committed()->offset()))();
  EXPECT_TRUE(metadata::Equal(*fresh.committed(), *controller_.committed()));
}

// C-26: another one may lead by now, and have what is asked about.
TEST_F(ControllerTest, WhoIsDeposedAndDoesNotKnowItRefusesNothing) {
  quorum_.Elect(1);
  Join(1);
  ASSERT_TRUE(*Create("a", 1, 1) && (*Create("b", 1, 1))->has_value());
  const auto exists = Create("a", 1, 1);
  ASSERT_TRUE(*exists && **exists);
  EXPECT_EQ((**exists)->topics(0).code(),
            static_cast<int>(ErrorCode::kTopicAlreadyExists));
  quorum_.SetLeader(2);
  ASSERT_TRUE(controller_.active());
  const auto refused = Create("a", 1, 1);
  ASSERT_TRUE(*refused);
  ASSERT_FALSE(**refused);
  EXPECT_EQ((*refused)->error().code, ErrorCode::kNotController);
}

TEST_F(ControllerTest, AFailedProposalFailsItsCallerAndNothingElse) {
  quorum_.Elect(1);
  Join(1);
  quorum_.refuse = true;
  auto refused = Create("t", 1, 1);
  ASSERT_TRUE(*refused);
  EXPECT_FALSE(**refused);
  quorum_.refuse = false;
  auto later = Create("t", 1, 1);
  EXPECT_EQ((**later)->topics(0).code(), 0);
}

// D-20a, F26: what did not happen is not counted.
TEST_F(ControllerTest, UncleanElectionsCountOnceCommitted) {
  quorum_.Elect(1);
  BrokerEpoch one = Join(1), two = Join(2);
  ASSERT_EQ((**Create("t", 1, 2))->topics(0).code(), 0);
  const NodeId last = P("t").leader, other = 3 - last;
  BreakFeed(other);
  executor_.Advance(milliseconds(310));
  BreakFeed(last);
  executor_.Advance(milliseconds(310));
  ASSERT_EQ(P("t").leader, kNoNode);
  Subscribe(other, 0);
  ASSERT_FALSE(Beat(other, other == 1 ? one : two).fenced());
  admin_v1::ElectLeadersRequest request;
  request.set_unclean(true);
  auto elect = [&] {
    controller_.Call(request, [](Result<admin_v1::ElectLeadersResponse>) {});
  };
  quorum_.hold = true;
  elect();
  EXPECT_EQ(controller_.counters().unclean_elections, 0u);
  quorum_.Depose(2, /*commit=*/false);
  EXPECT_EQ(controller_.counters().unclean_elections, 0u);
  quorum_.Elect(2);
  elect();
  quorum_.CommitAll();
  EXPECT_EQ(P("t").leader, other);
  EXPECT_EQ(controller_.counters().unclean_elections, 1u);
}

// D-15, C-26: the active controller dies between commit and answer. Whoever
// asks again is answered as the first time.
TEST_F(ControllerTest, ARequestAskedAgainIsDoneOnceAndAnsweredAlike) {
  quorum_.Elect(1);
  Join(1);
  Join(2);
  auto id = [](int n) { return TestUuid(7000 + n).ToBytes(); };
  // The first answer is lost, the change is not; the second is compared with
  // what is there.
  auto twice = [&]<class Request>(const Request& request) {
    std::optional<Result<ResponseTo<Request>>> first, again;
    quorum_.hold = true;
    controller_.Call(request, [&](auto r) { first = std::move(r); });
    quorum_.Depose(2, /*commit=*/true);
    EXPECT_EQ(first->error().code, quorum::kOutcomeUnknown);
    quorum_.hold = false;
    quorum_.Elect(quorum_.status().term + 1);
    const MetadataOffset before = controller_.committed()->offset();
    controller_.Call(request, [&](auto r) { again = std::move(r); });
    EXPECT_EQ(controller_.committed()->offset(), before) << "changed again";
    EXPECT_TRUE(*again) << ToString(again->error());
    return **again;
  };
  admin_v1::CreateTopicsRequest create;
  create.set_request_id(id(1));
  auto* topic = create.add_topics();
  topic->set_name("t");
  topic->set_partitions(1);
  topic->set_replication_factor(1);
  const auto created = twice(create);
  EXPECT_EQ(created.topics(0).code(), 0);
  const std::string topic_id =
      controller_.committed()->FindTopic("t")->id.ToBytes();
  EXPECT_EQ(created.topics(0).topic_id(), topic_id);

  admin_v1::CreatePartitionsRequest more;
  more.set_request_id(id(2));
  more.add_topics()->set_name("t");
  more.mutable_topics(0)->set_count(3);
  const auto grown = twice(more);
  EXPECT_EQ(grown.topics(0).code(), 0);

  admin_v1::DeleteTopicsRequest remove;
  remove.set_request_id(id(3));
  remove.add_names("t");
  const auto removed = twice(remove);
  EXPECT_EQ(removed.topics(0).code(), 0);
  EXPECT_EQ(removed.topics(0).topic_id(), topic_id);
  // Made again by somebody else meanwhile: it is not theirs that was meant.
  EXPECT_EQ((**Create("t", 1, 1))->topics(0).code(), 0);
  controller_.Call(remove, [](auto r) { EXPECT_TRUE(r); });
  EXPECT_NE(controller_.committed()->FindTopic("t"), nullptr);

  admin_v1::UnregisterBrokerRequest unregister;
  unregister.set_request_id(id(4));
  unregister.set_broker_id(2);
  twice(unregister);
  EXPECT_EQ(controller_.committed()->FindBroker(2), nullptr);

  admin_v1::AlterConfigsRequest alter;
  alter.set_request_id(id(5));
  auto* changes = alter.add_resources();
  changes->mutable_resource()->set_type(2);
  changes->mutable_resource()->set_name("t");
  auto* change = changes->add_changes();
  change->set_key("retention.ms");
  change->set_op(admin_v1::SET);
  change->set_value("1000");
  twice(alter);

  unregister.set_request_id(id(5));
  controller_.Call(unregister, [](auto r) {
    EXPECT_EQ(r.error().code, ErrorCode::kInvalidRequest) << "another call's";
  });
}

TEST_F(ControllerTest, ARequestAskedAgainWaitsForTheFirst) {
  quorum_.Elect(1);
  Join(1);
  quorum_.hold = true;
  admin_v1::CreateTopicsRequest request;
  request.set_request_id(TestUuid(7000).ToBytes());
  request.add_topics()->set_name("t");
  request.mutable_topics(0)->set_partitions(1);
  request.mutable_topics(0)->set_replication_factor(1);
  std::vector<int32_t> codes;
  for (int i = 0; i < 2; ++i)
    controller_.Call(request,
                     [&](auto r) { codes.push_back(r->topics(0).code()); });
  EXPECT_TRUE(codes.empty());
  quorum_.CommitAll();
  EXPECT_EQ(codes, (std::vector<int32_t>{0, 0}));
}

// A broker of so many replicas that one entry cannot remove it.
class LargeBrokerTest : public ControllerTest {
 protected:
  static constexpr int kBrokers = 250, kPartitions = 9'000;

  void SetUp() override {
    record_v1::RecordBatch batch;
    for (int id = 1; id <= kBrokers; ++id) {
      auto* broker = batch.add_records()->mutable_register_broker();
      broker->set_broker_id(id);
      broker->set_incarnation_id(TestUuid(id).ToBytes());
      broker->add_directory_ids(TestUuid(1000 + id).ToBytes());
      auto* endpoint = broker->add_endpoints();
      endpoint->set_name("PLAINTEXT");
      endpoint->set_host("h");
      endpoint->set_port(9092);
    }
    auto* topic = batch.add_records()->mutable_add_topic();
    topic->set_name("t");
    topic->set_topic_id(TestUuid(4000).ToBytes());
    for (int i = 0; i < kPartitions; ++i) {
      auto* partition = batch.add_records()->mutable_add_partition();
      partition->set_topic_id(topic->topic_id());
      partition->set_partition(i);
      for (int id = 1; id <= kBrokers; ++id) {
        partition->add_replicas(id);
        partition->add_isr(id);
      }
      partition->set_leader(1);
      partition->set_recovery(record_v1::RECOVERED);
    }
    quorum_.ApplyEntry(1, batch.SerializeAsString());
    quorum_.Elect(1);
  }
  void Unregister() {
    admin_v1::UnregisterBrokerRequest request;
    request.set_broker_id(1);
    controller_.Call(request, [&](auto r) { answer_ = std::move(r); });
  }
  std::optional<Result<admin_v1::UnregisterBrokerResponse>> answer_;
};

// D-20d: a broker of ever so many replicas can be fenced and removed.
TEST_F(LargeBrokerTest, WhatHappensToItIsSplitByItsBytes) {
  Unregister();
  ASSERT_TRUE(answer_);
  ASSERT_TRUE(*answer_) << ToString(answer_->error());
  EXPECT_EQ(controller_.committed()->FindBroker(1), nullptr);
  EXPECT_NE(P("t", kPartitions - 1).leader, 1);
}

// C-26: the first entry is there, and the last one, refused, is not.
TEST_F(LargeBrokerTest, HalfOfAChangeIsAnUnknownOutcome) {
  quorum_.hold = true;
  Unregister();
  quorum_.CommitOne();
  ASSERT_FALSE(answer_);
  quorum_.FailOne(ErrorCode::kNotController);
  ASSERT_TRUE(answer_);
  EXPECT_EQ(answer_->error().code, quorum::kOutcomeUnknown);
}

TEST_F(ControllerTest, CallsAboutTheQuorumAreCheckedAndPassedOn) {
  using Request = admin_v1::ChangeQuorumRequest;
  quorum_.Elect(1);
  auto change = [&](const Request& request) {
    std::optional<ErrorCode> code;
    controller_.Call(request, [&](const auto& r) {
      code = r ? ErrorCode::kNone : r.error().code;
    });
    return code;
  };
  Request add;
  add.set_id(4);
  add.set_host("h");
  add.set_port(9093);
  EXPECT_EQ(change(add), ErrorCode::kInvalidVoterKey);
  add.set_directory_id(std::string(15, 'x'));
  EXPECT_EQ(change(add), ErrorCode::kInvalidVoterKey);
  add.set_directory_id(Uuid::Random().ToBytes());
  add.set_port(70000);
  EXPECT_EQ(change(add), ErrorCode::kInvalidRequest);
  add.set_port(9093);
  add.set_host(std::string(300, 'h'));
  EXPECT_EQ(change(add), ErrorCode::kInvalidRequest);
  add.set_host("h");
  EXPECT_TRUE(quorum_.changes.empty());
  EXPECT_EQ(change(add), ErrorCode::kNone);
  ASSERT_EQ(quorum_.changes.size(), 1u);
  EXPECT_EQ(quorum_.changes[0].member.id, 4);
  EXPECT_EQ(quorum_.changes[0].member.port, 9093);

  Request forget;
  forget.set_kind(Request::FORGET);
  forget.set_id(4);
  EXPECT_EQ(change(forget), ErrorCode::kNone);
  EXPECT_TRUE(quorum_.changes[1].only_learner);
  EXPECT_EQ(quorum_.changes[1].kind, quorum::MemberChange::Kind::kRemove);
  Request transfer;
  transfer.set_kind(Request::TRANSFER);
  transfer.set_id(3);
  EXPECT_EQ(change(transfer), ErrorCode::kNone);
  EXPECT_EQ(quorum_.transfers, std::vector<NodeId>{3});
  quorum_.Depose(2, false);
  EXPECT_EQ(change(transfer), ErrorCode::kNotController);
}

// D-16: no answer is much larger than its request.
TEST_F(ControllerTest, ARequestMayNameSoManyAndNotMore) {
  quorum_.Elect(1);
  admin_v1::DescribeTopicsRequest topics;
  admin_v1::DescribeConfigsRequest configs;
  std::optional<ErrorCode> code;
  auto note = [&](const auto& r) {
    code = r ? ErrorCode::kNone : r.error().code;
  };
  for (int i = 0; i < 2000; ++i) {
    topics.add_names("t" + std::to_string(i));
    configs.add_resources()->set_name("t" + std::to_string(i));
  }
  controller_.Call(topics, note);
  EXPECT_EQ(code, ErrorCode::kNone);
  controller_.Call(configs, note);
  EXPECT_EQ(code, ErrorCode::kNone);
  topics.add_names("more");
  configs.add_resources()->set_name("more");
  controller_.Call(topics, note);
  EXPECT_EQ(code, ErrorCode::kPolicyViolation);
  code.reset();
  controller_.Call(configs, note);
  EXPECT_EQ(code, ErrorCode::kPolicyViolation);
}

TEST_F(ControllerTest, StopAnswersEveryone) {
  quorum_.Elect(1);
  Join(1);
  auto sink = Subscribe(1, 0);
  quorum_.hold = true;
  auto waiting = Create("t", 1, 1);
  controller_.Stop();
  ASSERT_TRUE(*waiting);
  EXPECT_FALSE(**waiting);
  EXPECT_TRUE(sink->closed);
  quorum_.Depose(2, false);
  quorum_.Elect(9);
  EXPECT_FALSE(controller_.active());
}

}  // namespace
}  // namespace tidemark::controller
