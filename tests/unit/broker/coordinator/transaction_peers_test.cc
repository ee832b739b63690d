#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/coordinator/marker_sender.h"
#include "broker/coordinator/transaction_verifier.h"
#include "common/metadata/apply.h"
#include "tests/unit/broker/coordinator/fakes.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr NodeId kSelf = 1;

// Requests that are out, to be answered by the test.
class FakePeers final : public PeerCalls {
 public:
  explicit FakePeers(ManualExecutor& executor) : executor_(executor) {}

  struct Markers {
    NodeId broker = kNoNode;
    kafka::WriteTxnMarkersRequest request;
    Answered<kafka::WriteTxnMarkersResponse> done;
  };
  struct Add {
    NodeId broker = kNoNode;
    kafka::AddPartitionsToTxnRequest request;
    Answered<kafka::AddPartitionsToTxnResponse> done;
  };
  std::deque<Markers> markers;
  std::deque<Add> adds;

  Executor& executor() override { return executor_; }
  void WriteMarkers(NodeId broker, kafka::WriteTxnMarkersRequest request,
                    Answered<kafka::WriteTxnMarkersResponse> done) override {
    markers.push_back({broker, std::move(request), std::move(done)});
  }
  void AddPartitions(
      NodeId broker, kafka::AddPartitionsToTxnRequest request,
      Answered<kafka::AddPartitionsToTxnResponse> done) override {
    adds.push_back({broker, std::move(request), std::move(done)});
  }

 private:
  ManualExecutor& executor_;
};

class TransactionPeersTest : public ::testing::Test {
 protected:
  void AddTopic(const std::string& name, int32_t partitions, NodeId leader) {
    const std::string id = Uuid::Random().ToBytes();
    ids_[name] = id;
    metadata::v1::Record topic;
    topic.mutable_add_topic()->set_name(name);
    topic.mutable_add_topic()->set_topic_id(id);
    Apply(topic);
    for (int32_t i = 0; i < partitions; ++i) {
      metadata::v1::Record record;
      auto& partition = *record.mutable_add_partition();
      partition.set_topic_id(id);
      partition.set_partition(i);
      for (const NodeId broker : {1, 2, 3}) {
        partition.add_replicas(broker);
        partition.add_isr(broker);
      }
      partition.set_leader(leader);
      Apply(record);
    }
  }
  void RemoveTopic(const std::string& name) {
    metadata::v1::Record record;
    record.mutable_remove_topic()->set_topic_id(ids_[name]);
    Apply(record);
  }
  void Lead(const std::string& topic, PartitionIndex partition, NodeId leader) {
    metadata::v1::Record record;
    auto& change = *record.mutable_change_partition();
    change.set_topic_id(ids_[topic]);
    change.set_partition(partition);
    change.set_leader(leader);
    change.set_leader_epoch(++leader_epoch_);
    Apply(record);
  }
  void Apply(const metadata::v1::Record& record) {
    metadata::ImageBuilder builder(metadata_.Get());
    const auto applied = builder.Apply(record, ++offset_);
    ASSERT_TRUE(applied) << applied.error().message;
    metadata_.Set(builder.Build(offset_, nullptr));
  }

  ManualExecutor executor_;
  ImageHolder metadata_;
  FakePeers peers_{executor_};
  int64_t offset_ = 0;
  LeaderEpoch leader_epoch_ = 0;
  std::map<std::string, std::string> ids_;
};

class MarkerSenderTest : public TransactionPeersTest {
 protected:
  MarkerSenderTest() {
    AddTopic("a", 3, 2);
    AddTopic("b", 1, kSelf);
  }
  void Send(const std::string& id, ProducerId producer,
            std::set<TopicPartition> partitions, LeaderEpoch epoch = 5) {
    sender_.Send({.coordinator = 7,
                  .epoch = epoch,
                  .task = {.transactional_id = id,
                           .producer_id = producer,
                           .epoch = 3,
                           .commit = true,
                           .client_version = 2,
                           .partitions = std::move(partitions)},
                  .done = [this, id] { done_.push_back(id); }});
    executor_.RunReady();
  }
  // Answers the oldest request, every partition with `error`.
  void Answer(ErrorCode error) {
    ASSERT_THAT(peers_.markers, testing::Not(IsEmpty()));
    auto out = std::move(peers_.markers.front());
    peers_.markers.pop_front();
    kafka::WriteTxnMarkersResponse response;
    for (const auto& marker : out.request.markers) {
      auto& to = response.markers.emplace_back();
      to.producer_id = marker.producer_id;
      for (const auto& topic : marker.topics) {
        auto& result = to.topics.emplace_back();
        result.name = topic.name;
        for (const int32_t partition : topic.partition_indexes) {
          result.partitions.push_back({partition, static_cast<int16_t>(error)});
        }
      }
    }
    out.done(std::move(response));
    executor_.RunReady();
  }
  void Break() {
    auto out = std::move(peers_.markers.front());
    peers_.markers.pop_front();
    out.done(Fail(ErrorCode::kNetworkException, "gone"));
    executor_.RunReady();
  }

  std::vector<std::string> done_;
  std::vector<replication::MarkerItem> here_;
  std::function<void(std::vector<ErrorCode>)> here_done_;
  MarkerSender sender_{
      kSelf, metadata_, peers_,
      [this](std::vector<replication::MarkerItem> items,
             std::function<void(std::vector<ErrorCode>)> done) {
        here_ = std::move(items);
        here_done_ = std::move(done);
      }};
};

TEST_F(MarkerSenderTest, OneTransactionGoesToEveryLeader) {
  Send("t", 100, {{"a", 0}, {"a", 2}, {"b", 0}});
  ASSERT_THAT(peers_.markers, SizeIs(1));
  const auto& request = peers_.markers[0];
  EXPECT_EQ(request.broker, 2);
  ASSERT_THAT(request.request.markers, SizeIs(1));
  const auto& marker = request.request.markers[0];
  EXPECT_EQ(marker.producer_id, 100);
  EXPECT_EQ(marker.producer_epoch, 3);
  EXPECT_EQ(marker.coordinator_epoch, 5);
  EXPECT_EQ(marker.transaction_version, 2);
  EXPECT_TRUE(marker.transaction_result);
  ASSERT_THAT(marker.topics, SizeIs(1));
  EXPECT_THAT(marker.topics[0].partition_indexes, ElementsAre(0, 2));
  ASSERT_THAT(here_, SizeIs(1));
  EXPECT_EQ(here_[0].partition, (TopicPartition{"b", 0}));
  EXPECT_EQ(here_[0].coordinator_epoch, 5);
  here_done_({ErrorCode::kNone});
  EXPECT_THAT(done_, IsEmpty());
  Answer(ErrorCode::kNone);
  EXPECT_THAT(done_, ElementsAre("t"));
}

TEST_F(MarkerSenderTest, WhatComesWhileARequestIsOutGoesTogether) {
  Send("t", 100, {{"a", 0}});
  Send("u", 101, {{"a", 1}});
  Send("v", 102, {{"a", 2}});
  ASSERT_THAT(peers_.markers, SizeIs(1));
  Answer(ErrorCode::kNone);
  ASSERT_THAT(peers_.markers, SizeIs(1));
  EXPECT_THAT(peers_.markers[0].request.markers, SizeIs(2));
  Answer(ErrorCode::kNone);
  EXPECT_THAT(done_, ElementsAre("t", "u", "v"));
}

TEST_F(MarkerSenderTest, WhoCannotTakeItNowIsAskedAgainWhereverItIsThen) {
  Send("t", 100, {{"a", 0}, {"a", 1}});
  Answer(ErrorCode::kNotLeaderOrFollower);
  EXPECT_THAT(peers_.markers, IsEmpty()) << "after a pause";
  Lead("a", 0, 3);
  Lead("a", 1, kNoNode);
  executor_.Advance(milliseconds(20));
  ASSERT_THAT(peers_.markers, SizeIs(1));
  EXPECT_EQ(peers_.markers[0].broker, 3);
  Break();
  executor_.Advance(seconds(2));
  Answer(ErrorCode::kNone);
  EXPECT_THAT(done_, IsEmpty());
  Lead("a", 1, 2);
  executor_.Advance(seconds(2));
  ASSERT_THAT(peers_.markers, SizeIs(1));
  // Whoever is there is in a newer epoch: this one has ended.
  Answer(ErrorCode::kInvalidProducerEpoch);
  EXPECT_THAT(done_, ElementsAre("t"));
  executor_.Advance(seconds(10));
  EXPECT_THAT(peers_.markers, IsEmpty());
}

TEST_F(MarkerSenderTest, AnAnswerThatSaysNothingOfAPartitionIsNone) {
  Send("t", 100, {{"a", 0}});
  auto out = std::move(peers_.markers.front());
  peers_.markers.clear();
  out.done(kafka::WriteTxnMarkersResponse{});
  executor_.Advance(milliseconds(20));
  ASSERT_THAT(peers_.markers, SizeIs(1));
  EXPECT_THAT(done_, IsEmpty());
}

TEST_F(MarkerSenderTest, PartitionsOfADeletedTopicNeedNone) {
  Send("t", 100, {{"a", 0}, {"gone", 0}});
  Answer(ErrorCode::kUnknownTopicOrPartition);
  RemoveTopic("a");
  executor_.Advance(milliseconds(20));
  EXPECT_THAT(done_, ElementsAre("t"));
}

TEST_F(MarkerSenderTest, ACoordinatorThatLeadsNoMoreSendsNoMore) {
  Send("t", 100, {{"a", 0}});
  Send("u", 101, {{"a", 1}});
  sender_.Drop(7, 6);
  sender_.Drop(8, 100);
  executor_.RunReady();
  Answer(ErrorCode::kNotLeaderOrFollower);
  executor_.Advance(seconds(10));
  EXPECT_THAT(peers_.markers, IsEmpty());
  EXPECT_THAT(done_, IsEmpty());
  Send("t", 100, {{"a", 0}}, 6);
  sender_.Drop(7, 6);
  executor_.RunReady();
  Answer(ErrorCode::kNone);
  EXPECT_THAT(done_, ElementsAre("t"));
}

class TransactionVerifierTest : public TransactionPeersTest {
 protected:
  TransactionVerifierTest() { AddTopic(kTransactionsTopic, 1, 2); }

  void Ask(PartitionIndex partition, bool verify = true,
           const std::string& id = "t", ProducerEpoch epoch = 3) {
    verifier_.Ask({.transactional_id = id,
                   .producer_id = 100,
                   .epoch = epoch,
                   .partitions = {{"a", partition}},
                   .verify_only = verify},
                  executor_, [this, partition](const AddPartitionsResult& r) {
                    answers_.emplace_back(partition, r.error != ErrorCode::kNone
                                                         ? r.error
                                                         : r.partitions.at(0));
                  });
    executor_.RunReady();
  }
  void Answer(ErrorCode error) {
    ASSERT_THAT(peers_.adds, testing::Not(IsEmpty()));
    auto out = std::move(peers_.adds.front());
    peers_.adds.pop_front();
    kafka::AddPartitionsToTxnResponse response;
    for (const auto& transaction : out.request.transactions) {
      auto& to = response.results_by_transaction.emplace_back();
      to.transactional_id = transaction.transactional_id;
      for (const auto& topic : transaction.topics) {
        auto& results = to.topic_results.emplace_back();
        results.name = topic.name;
        for (const int32_t partition : topic.partitions) {
          results.results_by_partition.push_back(
              {partition, static_cast<int16_t>(error)});
        }
      }
    }
    out.done(std::move(response));
    executor_.RunReady();
  }

  using Answered = std::pair<PartitionIndex, ErrorCode>;
  FakeReplicas replicas_{executor_};
  FakeController controller_;
  MarkerSender sender_{kSelf, metadata_, peers_, nullptr};
  TransactionCoordinator here_{
      TransactionConfig{}, {.name = kTransactionsTopic},
      SnapshotOptions{},   nullptr,
      metadata_,           controller_,
      replicas_,           sender_};
  CoordinatorVerifier verifier_{kSelf, metadata_, peers_, here_};
  std::vector<Answered> answers_;
};

TEST_F(TransactionVerifierTest, QuestionsOfOneProducerAreAnsweredInOrder) {
  Ask(0);
  Ask(1);
  Ask(2);
  ASSERT_THAT(peers_.adds, SizeIs(1));
  EXPECT_EQ(peers_.adds[0].broker, 2);
  EXPECT_TRUE(peers_.adds[0].request.transactions.at(0).verify_only);
  Ask(9, true, "other");
  EXPECT_THAT(peers_.adds, SizeIs(2)) << "nobody else waits";
  Answer(ErrorCode::kNone);
  EXPECT_THAT(answers_, ElementsAre(Answered{0, ErrorCode::kNone}));
  peers_.adds.pop_front();
  ASSERT_THAT(peers_.adds, SizeIs(1));
  EXPECT_THAT(peers_.adds[0].request.transactions.at(0).topics.at(0).partitions,
              ElementsAre(1, 2))
      << "together";
  Answer(ErrorCode::kTransactionAbortable);
  EXPECT_THAT(answers_,
              ElementsAre(Answered{0, ErrorCode::kNone},
                          Answered{1, ErrorCode::kTransactionAbortable},
                          Answered{2, ErrorCode::kTransactionAbortable}));
}

TEST_F(TransactionVerifierTest, ACoordinatorThatMovesIsLookedForAgain) {
  Ask(0);
  Answer(ErrorCode::kNotCoordinator);
  Ask(1);
  EXPECT_THAT(peers_.adds, IsEmpty());
  Lead(kTransactionsTopic, 0, 3);
  executor_.Advance(milliseconds(20));
  ASSERT_THAT(peers_.adds, SizeIs(1));
  EXPECT_EQ(peers_.adds[0].broker, 3);
  Answer(ErrorCode::kNone);
  Answer(ErrorCode::kNone);
  EXPECT_THAT(answers_, ElementsAre(Answered{0, ErrorCode::kNone},
                                    Answered{1, ErrorCode::kNone}));
}

TEST_F(TransactionVerifierTest, NotForEver) {
  Lead(kTransactionsTopic, 0, kNoNode);
  Ask(0);
  executor_.Advance(milliseconds(1'900));
  EXPECT_THAT(answers_, IsEmpty());
  executor_.Advance(milliseconds(200));
  EXPECT_THAT(answers_,
              ElementsAre(Answered{0, ErrorCode::kCoordinatorNotAvailable}));
  Lead(kTransactionsTopic, 0, kSelf);  // and nothing is led here
  Ask(1);
  executor_.Advance(seconds(3));
  EXPECT_EQ(answers_.back(), (Answered{1, ErrorCode::kNotCoordinator}));
}

// The coordinator on its log, with its sender.
class TransactionCoordinatorTest : public TransactionVerifierTest {
 protected:
  TransactionCoordinatorTest() {
    AddTopic("a", 2, 2);
    Lead(kTransactionsTopic, 0, kSelf);
    here_.OnLeader({kTransactionsTopic, 0}, replicas_.epoch);
    executor_.RunReady();
  }
  // The answer to a request, when there is one.
  template <class Result, class Request>
  std::optional<Result> Call(void (TransactionCoordinator::*call)(Request,
                                                                  Done<Result>),
                             Request request) {
    auto answer = std::make_shared<std::optional<Result>>();
    (here_.*call)(std::move(request),
                  [answer](Result result) { *answer = std::move(result); });
    executor_.RunReady();
    return *answer;
  }
  void BeginOne() {
    const auto first =
        Call<InitProducerResult>(&TransactionCoordinator::InitProducer,
                                 InitProducerRequest{"t", 60'000});
    ASSERT_TRUE(first && first->wants_producer_id);
    InitProducerRequest again{"t", 60'000};
    again.spare_producer_id = 100;
    const auto begun = Call<InitProducerResult>(
        &TransactionCoordinator::InitProducer, std::move(again));
    ASSERT_TRUE(begun && begun->error == ErrorCode::kNone);
    Ask(0, false, "t", 0);
    ASSERT_THAT(answers_, ElementsAre(Answered{0, ErrorCode::kNone}))
        << "the verifier asks here";
  }
  std::optional<EndTransactionResult> End() {
    return Call<EndTransactionResult>(
        &TransactionCoordinator::End,
        EndTransactionRequest{.transactional_id = "t",
                              .producer_id = 100,
                              .epoch = 0,
                              .commit = true});
  }
  TransactionState State() {
    std::optional<TransactionDescription> out;
    here_.Describe("t", [&](TransactionDescription d) { out = std::move(d); });
    executor_.RunReady();
    EXPECT_TRUE(out && out->error == ErrorCode::kNone);
    return out ? out->transaction.state : TransactionState::kEmpty;
  }
  void AnswerMarkers(ErrorCode error) {
    ASSERT_THAT(peers_.markers, SizeIs(1));
    auto out = std::move(peers_.markers.front());
    peers_.markers.clear();
    kafka::WriteTxnMarkersResponse response;
    response.markers = {{100, {{"a", {{0, static_cast<int16_t>(error)}}}}}};
    out.done(std::move(response));
    executor_.RunReady();
  }
};

TEST_F(TransactionCoordinatorTest, AnEndIsAnsweredWhenItIsDecided) {
  BeginOne();
  const auto ended = End();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->error, ErrorCode::kNone);
  EXPECT_EQ(State(), TransactionState::kPrepareCommit);
  AnswerMarkers(ErrorCode::kNone);
  EXPECT_EQ(State(), TransactionState::kCompleteCommit);
}

TEST_F(TransactionCoordinatorTest, TheNextCoordinatorBringsTheMarkers) {
  BeginOne();
  End();
  here_.OnNotLeader({kTransactionsTopic, 0}, ++replicas_.epoch);
  executor_.RunReady();
  EXPECT_EQ(End()->error, ErrorCode::kNotCoordinator);
  AnswerMarkers(ErrorCode::kNotLeaderOrFollower);
  executor_.Advance(seconds(5));
  EXPECT_THAT(peers_.markers, IsEmpty()) << "it leads no more";
  here_.OnLeader({kTransactionsTopic, 0}, ++replicas_.epoch);
  executor_.RunReady();
  ASSERT_THAT(peers_.markers, SizeIs(1));
  EXPECT_EQ(peers_.markers[0].request.markers.at(0).coordinator_epoch,
            replicas_.epoch);
  AnswerMarkers(ErrorCode::kNone);
  EXPECT_EQ(State(), TransactionState::kCompleteCommit);
}

TEST_F(TransactionCoordinatorTest, WhatTimesOutIsAborted) {
  BeginOne();
  executor_.Advance(seconds(59));
  EXPECT_THAT(peers_.markers, IsEmpty());
  executor_.Advance(seconds(2));
  ASSERT_THAT(peers_.markers, SizeIs(1));
  EXPECT_FALSE(peers_.markers[0].request.markers.at(0).transaction_result);
  EXPECT_EQ(End()->error, ErrorCode::kProducerFenced);
}

}  // namespace
}  // namespace tidemark::coordinator
