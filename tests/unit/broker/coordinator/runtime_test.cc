#include <gtest/gtest.h>

#include "broker/coordinator/runtime/coordinator.h"
#include "common/record/batch_builder.h"
#include "common/record/control_record.h"
#include "tests/unit/broker/coordinator/fakes.h"
#include "tests/unit/broker/coordinator/toy_machine.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RuntimeTest : public testing::Test {
 protected:
  using Answered = std::shared_ptr<std::optional<ErrorCode>>;

  void Lead() {
    coordinator->Lead(++replicas.epoch);
    executor.RunReady();
  }
  template <class Request>
  Answered Submit(const Request& request) {
    auto answered = std::make_shared<std::optional<ErrorCode>>();
    coordinator->Submit(request, [answered](const ToyResult& result) {
      EXPECT_FALSE(answered->has_value()) << "answered twice";
      *answered = result.error;
    });
    executor.RunReady();
    return answered;
  }
  Answered Put(const std::string& name, std::optional<std::string> value) {
    return Submit(ToyPut{{{name, std::move(value)}}});
  }
  std::string Get(const std::string& name) {
    const ToyResult result = coordinator->Read(ToyGet{name});
    EXPECT_EQ(result.error, ErrorCode::kNone);
    return result.value;
  }
  // Everything in flight, one append after the other.
  void Settle() {
    for (int i = 0; i < 100; ++i) {
      replicas.Commit();
      executor.RunReady();
    }
  }
  void AppendToLog(record::BatchBuilder builder) {
    replicas.AppendCommitted({}, replicas.epoch, SharedBytes(builder.Build()),
                             {}, seconds(1), executor, [](auto) {});
  }

  ManualExecutor executor;
  FakeReplicas replicas{executor};
  CoordinatorOptions options;
  ToyMachine::Log log;
  std::shared_ptr<Coordinator<ToyMachine>> coordinator = NewCoordinator();

  std::shared_ptr<Coordinator<ToyMachine>> NewCoordinator() {
    return std::make_shared<Coordinator<ToyMachine>>(
        TopicPartition{"toys", 0}, replicas, options, ToyMachine(log));
  }
};

TEST_F(RuntimeTest, RecordsAreAppliedWithWhereTheyLie) {
  Lead();
  Put("a", "1");
  Submit(ToyPut{{{"b", "2"}, {"c", "3"}}});
  ASSERT_EQ(log.applied.size(), 3u);
  const auto written = std::exchange(log.applied, {});
  Lead();
  ASSERT_EQ(log.applied.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(written[i].first, log.applied[i].first);
    EXPECT_EQ(written[i].second.offset, static_cast<Offset>(i));
    EXPECT_EQ(log.applied[i].second.offset, static_cast<Offset>(i));
    EXPECT_EQ(written[i].second.timestamp_ms, executor.WallMs());
    EXPECT_EQ(log.applied[i].second.timestamp_ms, executor.WallMs());
  }
}

TEST_F(RuntimeTest, ProducersAndTheirMarkersReachTheMachine) {
  record::BatchOptions of_producer{
      .producer_id = 7, .producer_epoch = 2, .transactional = true};
  record::BatchBuilder pending(of_producer);
  pending.Add(5, "a", "1");
  AppendToLog(pending);
  of_producer.control = true;
  for (auto type : {record::ControlRecordType::kCommit,
                    record::ControlRecordType::kAbort}) {
    record::BatchBuilder marker(of_producer);
    marker.Add(6, record::EncodeControlKey(type), record::EncodeMarkerValue(1));
    AppendToLog(marker);
  }
  Lead();
  ASSERT_EQ(log.applied.size(), 1u);
  EXPECT_EQ(log.applied[0].second.producer_id, 7);
  EXPECT_EQ(log.applied[0].second.producer_epoch, 2);
  EXPECT_TRUE(log.applied[0].second.transactional);
  ASSERT_EQ(log.markers.size(), 2u);
  EXPECT_TRUE(log.markers[0].committed);
  EXPECT_FALSE(log.markers[1].committed);
  EXPECT_EQ(log.markers[1].meta.producer_id, 7);
  EXPECT_EQ(log.markers[1].meta.offset, 2);
}

TEST_F(RuntimeTest, ARefusedAppendFailsAllWritesOfItsBatchAndNoOther) {
  Lead();
  replicas.auto_commit = false;
  const Answered first = Put("a", "1");
  const Answered second = Put("b", "1");
  const Answered third = Put("c", "1");
  replicas.refuse = ErrorCode::kNotEnoughReplicas;
  replicas.Commit();
  executor.RunReady();
  EXPECT_EQ(*first, ErrorCode::kNone);
  EXPECT_EQ(*second, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(*third, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(log.settled, (std::vector<std::string>{"a", "-b", "-c"}));
  EXPECT_EQ(coordinator->Availability(), ErrorCode::kNone);
  replicas.refuse.reset();
  const Answered fourth = Put("d", "1");
  Settle();
  EXPECT_EQ(*fourth, ErrorCode::kNone);
  EXPECT_EQ(Get("b"), "");
  EXPECT_EQ(Get("d"), "1");
}

// A batch is never a part of several writes.
TEST_F(RuntimeTest, ABatchHoldsWholeWritesAsLongAsTheyFit) {
  Lead();
  replicas.auto_commit = false;
  Put("first", "1");
  const std::string large(200'000, 'x');
  for (const char* name : {"a", "b", "c"}) {
    Submit(ToyPut{{{name, large}, {std::string(name) + "2", "1"}}});
  }
  replicas.Commit();
  executor.RunReady();
  ASSERT_EQ(replicas.batches.size(), 2u);
  EXPECT_EQ(record::ParseBatchHeader(replicas.batches[1])->record_count, 4);
  Settle();
  EXPECT_EQ(Get("c2"), "1");
}

TEST_F(RuntimeTest, OfAWriteThatIsThereInPartTheLogDecides) {
  Lead();
  replicas.auto_commit = false;
  const std::string large(400'000, 'x');
  const Answered split = Submit(ToyPut{{{"a", large}, {"b", large}}});
  const Answered behind = Put("c", "1");
  replicas.refuse = ErrorCode::kNotEnoughReplicas;
  replicas.Commit();
  executor.RunReady();
  EXPECT_EQ(*split, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(*behind, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_NE(coordinator->Availability(), ErrorCode::kNone);
  EXPECT_TRUE(log.settled.empty()) << "its outcome is not known";
  executor.Advance(seconds(1));
  EXPECT_EQ(coordinator->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Get("a"), large);
  EXPECT_EQ(Get("b"), "");
}

TEST_F(RuntimeTest, WhatDoesNotEncodeFailsAlone) {
  Lead();
  replicas.auto_commit = false;
  const Answered before = Put("a", "1");
  const Answered impossible = Submit(ToyPut{{{"!", "1"}}, true});
  EXPECT_EQ(*impossible, ErrorCode::kUnknownServerError);
  EXPECT_FALSE(*before);
  Settle();
  EXPECT_EQ(*before, ErrorCode::kNone);
}

// What follows from a write's end is decided while others of the same batch
// still wait to be told theirs.
TEST_F(RuntimeTest, AWriteThatFollowsFromAnotherWaitsForItsWholeBatch) {
  Lead();
  replicas.auto_commit = false;
  Put("first", "1");
  Submit(ToyPut{{{"a", "1"}}, true});
  Submit(ToyPut{{{"b", "1"}}, true});
  Settle();
  EXPECT_EQ(replicas.appends, 3);
  EXPECT_EQ(log.settled,
            (std::vector<std::string>{"first", "a", "b", "a.echo", "b.echo"}));
  EXPECT_EQ(Get("a.echo"), "yes");
  EXPECT_EQ(Get("b.echo"), "yes");
  Lead();
  EXPECT_EQ(Get("b.echo"), "yes");
}

TEST_F(RuntimeTest, ResigningWithWritesInFlightAnswersEachOnce) {
  Lead();
  replicas.auto_commit = false;
  std::vector<Answered> waiting;
  for (const char* name : {"a", "b", "c"}) waiting.push_back(Put(name, "1"));
  waiting.push_back(Submit(ToySleep{executor.Now() + seconds(1)}));
  coordinator->Resign(++replicas.epoch);
  for (const Answered& answered : waiting) {
    EXPECT_EQ(*answered, ErrorCode::kNotCoordinator);
  }
  replicas.Commit();
  executor.Advance(seconds(60));
  EXPECT_TRUE(log.settled.empty());
  EXPECT_EQ(log.timers, 0);
  EXPECT_EQ(*Put("d", "1"), ErrorCode::kNotCoordinator);
}

TEST_F(RuntimeTest, ALateResultOfAnotherEpochIsNobodys) {
  Lead();
  replicas.auto_commit = false;
  const Answered old = Put("a", "1");
  // Elected again; the first append is not known to be committed.
  coordinator->Lead(++replicas.epoch);
  executor.RunReady();
  EXPECT_EQ(*old, ErrorCode::kNotCoordinator);
  EXPECT_EQ(coordinator->Availability(), ErrorCode::kCoordinatorLoadInProgress);
  replicas.Commit();
  executor.Advance(seconds(1));
  ASSERT_EQ(coordinator->Availability(), ErrorCode::kNone);
  EXPECT_TRUE(log.settled.empty());
  EXPECT_EQ(log.applied.size(), 1u);
  const Answered fresh = Put("b", "1");
  EXPECT_FALSE(*fresh);
  Settle();
  EXPECT_EQ(*fresh, ErrorCode::kNone);
  EXPECT_EQ(log.settled, std::vector<std::string>{"b"});
}

TEST_F(RuntimeTest, ALogThatIsCutWhileItLoadsIsLoadedAnew) {
  Lead();
  for (int i = 0; i < 5; ++i) Put("n" + std::to_string(i), "old");
  coordinator->Resign(++replicas.epoch);
  coordinator->Lead(++replicas.epoch);
  for (int i = 0; i < 2; ++i) executor.RunOne();
  ASSERT_EQ(coordinator->Availability(), ErrorCode::kCoordinatorLoadInProgress);
  replicas.batches.resize(1);
  replicas.committed = 1;
  record::BatchBuilder other;
  other.Add(1, "n0", "new");
  AppendToLog(other);
  executor.RunReady();
  ASSERT_EQ(coordinator->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Get("n0"), "new");
  EXPECT_EQ(Get("n1"), "");
}

TEST_F(RuntimeTest, ALogThatLosesItsStartWhileItLoadsIsLoadedAnew) {
  Lead();
  for (int i = 0; i < 5; ++i) Put("n" + std::to_string(i), "x");
  coordinator->Lead(++replicas.epoch);
  executor.RunOne();
  replicas.start = 3;
  executor.RunReady();
  ASSERT_EQ(coordinator->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Get("n0"), "");
  EXPECT_EQ(Get("n3"), "x");
  EXPECT_EQ(Get("n4"), "x");
}

TEST_F(RuntimeTest, ALogThatIsOutOfReachIsTriedAgain) {
  Lead();
  Put("a", "1");
  coordinator->Lead(replicas.epoch + 1);  // the log is not led in it yet
  executor.Advance(seconds(1));
  EXPECT_EQ(coordinator->Availability(), ErrorCode::kCoordinatorLoadInProgress);
  ++replicas.epoch;
  executor.Advance(seconds(1));
  EXPECT_EQ(coordinator->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Get("a"), "1");
}

TEST_F(RuntimeTest, TheNearestDeadlineIsTheOneThatRings) {
  Lead();
  const Answered far = Submit(ToySleep{executor.Now() + seconds(9)});
  const Answered near = Submit(ToySleep{executor.Now() + seconds(2)});
  executor.Advance(milliseconds(1'999));
  EXPECT_FALSE(*near);
  EXPECT_EQ(log.timers, 0);
  executor.Advance(milliseconds(1));
  EXPECT_EQ(*near, ErrorCode::kNone);
  EXPECT_EQ(log.timers, 1);
  executor.Advance(seconds(6));
  EXPECT_FALSE(*far);
  executor.Advance(seconds(1));
  EXPECT_EQ(*far, ErrorCode::kNone);
  EXPECT_EQ(log.timers, 2);
}

TEST_F(RuntimeTest, TimersOfAnotherTermDoNotRing) {
  Lead();
  Submit(ToySleep{executor.Now() + seconds(2)});
  Lead();
  const Answered mine = Submit(ToySleep{executor.Now() + seconds(3)});
  executor.Advance(milliseconds(2'500));
  EXPECT_EQ(log.timers, 0);
  executor.Advance(seconds(1));
  EXPECT_EQ(*mine, ErrorCode::kNone);
  EXPECT_EQ(log.timers, 1);
}

TEST_F(RuntimeTest, WritesThatTakeTooLongGoOnWithoutTheirCallers) {
  Lead();
  replicas.auto_commit = false;
  const Answered first = Put("a", "1");
  executor.Advance(seconds(2));
  const Answered second = Put("b", "1");
  executor.Advance(seconds(3));
  EXPECT_EQ(*first, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_FALSE(*second);
  Settle();
  EXPECT_EQ(*second, ErrorCode::kNone);
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(log.settled, (std::vector<std::string>{"a", "b"}));
  executor.Advance(seconds(60));
  EXPECT_EQ(*Submit(ToyPut{{{"c", "1"}}}), std::nullopt);
}

TEST_F(RuntimeTest, ChangesOfTheImageWaitForTheLoad) {
  Lead();
  Put("t", "1");
  Put("u", "1");
  coordinator->Lead(++replicas.epoch);
  coordinator->OnImage({{"t"}});
  executor.RunReady();
  EXPECT_EQ(Get("t"), "");
  EXPECT_EQ(Get("u"), "1");
  coordinator->Resign(++replicas.epoch);
  coordinator->OnImage({{"u"}});
  Lead();
  EXPECT_EQ(Get("u"), "1") << "the leader of the time sees to it";
}

}  // namespace
}  // namespace tidemark::coordinator
