#include "common/kafka/messages/txn_offset_commit.h"

#include "common/kafka/messages/delete_groups.h"
#include "common/kafka/messages/offset_fetch.h"
#include "tests/unit/broker/coordinator/group_coordinator_fixture.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::seconds;

using Request = kafka::TxnOffsetCommitRequest;

class TxnOffsetCommitTest : public GroupCoordinatorTest {
 protected:
  Request CommitOf(const std::string& group, Offset offset,
                   ProducerId producer = 7) {
    Request request{
        .transactional_id = "tid", .group_id = group, .producer_id = producer};
    request.topics = {
        {.name = "t", .partitions = {{.committed_offset = offset}}}};
    return request;
  }
  // Of its first partition.
  int16_t Commit(Request request, int16_t version = 3) {
    return Call(server::HandleTxnOffsetCommit, version, std::move(request))
        ->topics[0]
        .partitions[0]
        .error_code;
  }
  ErrorCode End(ProducerId producer, bool committed,
                PartitionIndex partition = 0) {
    std::optional<ErrorCode> answer;
    groups.EndTransaction(partition, {producer, 0, committed, 5},
                          [&](ErrorCode error) { answer = error; });
    executor.RunReady();
    return answer.value_or(ErrorCode::kUnknownServerError);
  }
  // Offset and error of partition 0.
  std::pair<Offset, int16_t> Fetch(const std::string& group, bool stable) {
    kafka::OffsetFetchRequest one{.group_id = group, .require_stable = stable};
    one.topics = {{{.name = "t", .partition_indexes = {0}}}};
    const auto v7 = Call(server::HandleOffsetFetch, 7, one);
    EXPECT_EQ(v7->error_code, 0);
    const auto& p = v7->topics[0].partitions[0];
    const auto v9 = Call(
        server::HandleOffsetFetch, 9,
        {.groups = {{.group_id = group,
                     .topics = {{{.name = "t", .partition_indexes = {0}}}}}},
         .require_stable = stable});
    const auto& q = v9->groups[0].topics[0].partitions[0];
    EXPECT_EQ(p.committed_offset, q.committed_offset);
    EXPECT_EQ(p.error_code, q.error_code);
    return {p.committed_offset, p.error_code};
  }
};

TEST_F(TxnOffsetCommitTest, OffsetsAreVisibleWhenTheirTransactionIsCommitted) {
  const std::pair<Offset, int16_t> unstable{
      -1, Code(ErrorCode::kUnstableOffsetCommit)};
  Serve();
  for (int16_t version = 0; version <= 5; ++version) {
    const Offset before = version - 1;
    ASSERT_EQ(Commit(CommitOf("g", version), version), 0);
    EXPECT_EQ(Fetch("g", true), unstable);
    EXPECT_EQ(Fetch("g", false), (std::pair<Offset, int16_t>(before, 0)));
    EXPECT_EQ(End(7, true), ErrorCode::kNone);
    EXPECT_EQ(Fetch("g", true), (std::pair<Offset, int16_t>(version, 0)));
  }
  ASSERT_EQ(Commit(CommitOf("g", 99)), 0);
  EXPECT_EQ(End(7, false), ErrorCode::kNone);
  EXPECT_EQ(Fetch("g", true), (std::pair<Offset, int16_t>(5, 0)));
}

TEST_F(TxnOffsetCommitTest, TheTransactionIsAskedForFirst) {
  Serve();
  ASSERT_EQ(Commit(CommitOf("g", 3), 3), 0);
  ASSERT_EQ(verifier.asked.size(), 1u);
  EXPECT_TRUE(verifier.asked[0].verify_only);
  EXPECT_EQ(verifier.asked[0].transactional_id, "tid");
  EXPECT_EQ(verifier.asked[0].partitions,
            (std::vector<TopicPartition>{{kOffsetsTopic, 0}}));
  ASSERT_EQ(Commit(CommitOf("g", 3), 5), 0);
  EXPECT_FALSE(verifier.asked[1].verify_only);
  EXPECT_EQ(End(7, true), ErrorCode::kNone);
  verifier.answer = ErrorCode::kTransactionAbortable;
  EXPECT_EQ(Commit(CommitOf("g", 9), 3), Code(ErrorCode::kInvalidTxnState));
  EXPECT_EQ(Commit(CommitOf("g", 9), 4),
            Code(ErrorCode::kTransactionAbortable));
  verifier.answer = ErrorCode::kProducerFenced;
  EXPECT_EQ(Commit(CommitOf("g", 9), 5),
            Code(ErrorCode::kInvalidProducerEpoch));
  verifier.answer = ErrorCode::kNotCoordinator;
  EXPECT_EQ(Commit(CommitOf("g", 9), 5),
            Code(ErrorCode::kCoordinatorNotAvailable));
  EXPECT_EQ(Fetch("g", true), (std::pair<Offset, int16_t>(3, 0)));
}

// The guard of the log goes with what the coordinator has said, and both are
// asked again where it does not count any more.
TEST_F(TxnOffsetCommitTest, AMarkerThatComesFirstMakesItAskAgain) {
  Serve();
  replicas.guard = uint64_t{41};
  ASSERT_EQ(Commit(CommitOf("g", 3)), 0);
  EXPECT_EQ(replicas.transactions.back(), (log::TransactionContext{41, 0}));
  replicas.guard = uint64_t{0};
  ASSERT_EQ(Commit(CommitOf("g", 4)), 0);
  EXPECT_EQ(verifier.asked.size(), 1u) << "it is open in the log";
  replicas.guard = uint64_t{43};
  replicas.refuse = ErrorCode::kInvalidTxnState;
  EXPECT_EQ(Commit(CommitOf("g", 5)), Code(ErrorCode::kInvalidTxnState));
  EXPECT_EQ(verifier.asked.size(), 4u);
  verifier.answer = ErrorCode::kTransactionAbortable;
  EXPECT_EQ(Commit(CommitOf("g", 5), 5),
            Code(ErrorCode::kTransactionAbortable));
  replicas.guard = Fail(ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(Commit(CommitOf("g", 5)), Code(ErrorCode::kInvalidProducerEpoch));
  replicas.guard = Fail(ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(Commit(CommitOf("g", 5)), Code(ErrorCode::kNotCoordinator));
  EXPECT_EQ(verifier.asked.size(), 5u) << "the log refused it before";
}

TEST_F(TxnOffsetCommitTest, EachPartitionHasItsError) {
  Serve();
  Request request = CommitOf("g", 5);
  request.topics[0].partitions.push_back(
      {.partition_index = 1, .committed_metadata = std::string(4'097, 'm')});
  request.topics[0].partitions.push_back({.partition_index = 9});
  request.topics.push_back({.name = "nope", .partitions = {{}}});
  const auto answer = Call(server::HandleTxnOffsetCommit, 5, request);
  ASSERT_EQ(answer->topics.size(), 2u);
  EXPECT_EQ(answer->topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(answer->topics[0].partitions[1].error_code,
            Code(ErrorCode::kOffsetMetadataTooLarge));
  EXPECT_EQ(answer->topics[0].partitions[2].error_code,
            Code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(answer->topics[0].partitions[2].partition_index, 9);
  EXPECT_EQ(answer->topics[1].name, "nope");
  EXPECT_EQ(answer->topics[1].partitions[0].error_code,
            Code(ErrorCode::kUnknownTopicOrPartition));
  // Nobody need be asked about this one.
  request.topics.erase(request.topics.begin());
  EXPECT_EQ(Commit(request), Code(ErrorCode::kUnknownTopicOrPartition));
}

TEST_F(TxnOffsetCommitTest, WhatBefallsAllIsSaidOfEachPartition) {
  Serve();
  EXPECT_EQ(Commit(CommitOf("", 5)), Code(ErrorCode::kInvalidGroupId));
  EXPECT_EQ(Commit(CommitOf("g", 5, -1)),
            Code(ErrorCode::kInvalidProducerIdMapping));
  Request wrong = CommitOf("g", 5);
  wrong.generation_id_or_member_epoch = 3;
  EXPECT_EQ(Commit(wrong), Code(ErrorCode::kIllegalGeneration));
  ASSERT_EQ(Commit(CommitOf("g", 5)), 0);
  wrong.member_id = "nobody";
  EXPECT_EQ(Commit(wrong), Code(ErrorCode::kUnknownMemberId));
  replicas.refuse = ErrorCode::kInvalidProducerEpoch;
  EXPECT_EQ(Commit(CommitOf("g", 6)), Code(ErrorCode::kInvalidProducerEpoch));
  replicas.refuse = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(Commit(CommitOf("g", 6)),
            Code(ErrorCode::kCoordinatorNotAvailable));
}

TEST_F(TxnOffsetCommitTest, AMemberThatIsRightMayCommitAmidARebalance) {
  Serve();
  auto joined = Call(server::HandleJoinGroup, 0, Join("g"), seconds(3));
  ASSERT_EQ(joined->error_code, 0);
  Request request = CommitOf("g", 5);
  request.member_id = joined->member_id;
  request.generation_id_or_member_epoch = joined->generation_id;
  EXPECT_EQ(Commit(request), 0);
  request.generation_id_or_member_epoch = joined->generation_id - 1;
  EXPECT_EQ(Commit(request), Code(ErrorCode::kIllegalGeneration));
  request.group_instance_id = "i";
  EXPECT_EQ(Commit(request), Code(ErrorCode::kUnknownMemberId));
}

TEST_F(TxnOffsetCommitTest, OldClientsDoNotHearOfALoad) {
  StartLoading();
  EXPECT_EQ(Commit(CommitOf("g", 5), 1),
            Code(ErrorCode::kCoordinatorNotAvailable));
  EXPECT_EQ(Commit(CommitOf("g", 5), 2),
            Code(ErrorCode::kCoordinatorLoadInProgress));
  EXPECT_EQ(End(7, true), ErrorCode::kNotLeaderOrFollower);
}

TEST_F(TxnOffsetCommitTest, WhoWritesMarkersHearsTheErrorsOfALog) {
  Serve();
  ASSERT_EQ(Commit(CommitOf("g", 5)), 0);
  EXPECT_EQ(End(7, true, 3), ErrorCode::kNotLeaderOrFollower);
  for (const auto& [refused, told] :
       {std::pair(ErrorCode::kNotEnoughReplicas,
                  ErrorCode::kNotLeaderOrFollower),
        std::pair(ErrorCode::kInvalidProducerEpoch,
                  ErrorCode::kInvalidProducerEpoch),
        std::pair(ErrorCode::kTransactionCoordinatorFenced,
                  ErrorCode::kTransactionCoordinatorFenced)}) {
    replicas.refuse = refused;
    EXPECT_EQ(End(7, true), told);
    EXPECT_EQ(Fetch("g", false).first, -1);
  }
  replicas.refuse.reset();
  groups.OnNotLeader({kOffsetsTopic, 0}, replicas.epoch);
  executor.RunReady();
  EXPECT_EQ(End(7, true), ErrorCode::kNotLeaderOrFollower);
  groups.OnLeader({kOffsetsTopic, 0}, ++replicas.epoch);
  executor.RunReady();
  EXPECT_EQ(End(7, true), ErrorCode::kNone);
  EXPECT_EQ(Fetch("g", true).first, 5);
}

TEST_F(TxnOffsetCommitTest, ATransactionAsksForThePartitionOfAGroup) {
  for (int32_t id : {1, 2, 3}) AddBroker(id, false);
  const auto missing = groups.OffsetsPartitionOf("g");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(controller.created.size(), 1u);
  AddTopic(kOffsetsTopic, 50);
  // abs(hash("my-group")) % 50, as Kafka's.
  EXPECT_EQ(groups.OffsetsPartitionOf("my-group").value(),
            (TopicPartition{kOffsetsTopic, 12}));
}

TEST_F(TxnOffsetCommitTest, OpenTransactionsHaveTheBoundOfMemory) {
  Serve();
  int16_t error = 0;
  ProducerId producer = 0;
  for (; producer < 100'000 && error == 0; ++producer) {
    error = Commit(CommitOf("g", 5, producer));
    ASSERT_LE(groups.memory().used(), kMemory);
  }
  EXPECT_EQ(error, Code(ErrorCode::kCoordinatorLoadInProgress));
  EXPECT_GT(producer, 100);
  EXPECT_GT(groups.memory().used(), kMemory - 2'000);
  // What is in the log counts again at the next leader.
  const size_t used = groups.memory().used();
  groups.OnNotLeader({kOffsetsTopic, 0}, ++replicas.epoch);
  executor.RunReady();
  EXPECT_EQ(groups.memory().used(), 0u);
  groups.OnLeader({kOffsetsTopic, 0}, ++replicas.epoch);
  executor.RunReady();
  EXPECT_EQ(groups.memory().used(), used);
  for (ProducerId p = 0; p < producer; ++p) {
    ASSERT_EQ(End(p, p % 2 == 0), ErrorCode::kNone);
  }
  EXPECT_LT(groups.memory().used(), 5'000u);
  EXPECT_EQ(Fetch("g", true).first, 5);
  EXPECT_EQ(Call(server::HandleDeleteGroups, 2, {.groups_names = {"g"}})
                ->results[0]
                .error_code,
            0);
  EXPECT_EQ(groups.memory().used(), 0u);
}

}  // namespace
}  // namespace tidemark::coordinator
