#include <gtest/gtest.h>

#include "broker/coordinator/group/group_records.h"
#include "broker/coordinator/group_coordinator.h"
#include "common/record/batch_builder.h"
#include "tests/unit/broker/coordinator/fakes.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class GroupPartitionTest : public testing::Test {
 protected:
  std::shared_ptr<GroupPartition> NewCoordinator() {
    return std::make_shared<GroupPartition>(
        TopicPartition{"__consumer_offsets", 3}, replicas, options,
        GroupTable(config));
  }
  void Lead() {
    groups->Lead(++replicas.epoch);
    executor.RunReady();
  }
  CommitRequest CommitOf(const std::string& group, Offset offset) {
    return {.group_id = group, .partitions = {{{"t", 0}, {.offset = offset}}}};
  }
  // What became of it so far; nullopt: it waits.
  std::shared_ptr<std::optional<CommitResult>> Commit(const std::string& group,
                                                      Offset offset) {
    auto result = std::make_shared<std::optional<CommitResult>>();
    groups->Submit(CommitOf(group, offset), [result](CommitResult r) {
      EXPECT_FALSE(result->has_value()) << "answered twice";
      *result = std::move(r);
    });
    executor.RunReady();
    return result;
  }
  std::optional<ErrorCode> CommitError(const std::string& group,
                                       Offset offset) {
    auto result = Commit(group, offset);
    return *result ? std::optional((*result)->error) : std::nullopt;
  }
  Offset Fetched(const std::string& group) {
    const FetchResult result = groups->Read(FetchRequest{
        .group_id = group, .partitions = {{TopicPartition{"t", 0}}}});
    EXPECT_EQ(result.error, ErrorCode::kNone);
    return result.error == ErrorCode::kNone ? result.partitions[0].value.offset
                                            : -99;
  }

  ManualExecutor executor;
  FakeReplicas replicas{executor};
  GroupConfig config;
  CoordinatorOptions options;
  std::shared_ptr<GroupPartition> groups = NewCoordinator();
};

TEST_F(GroupPartitionTest, BeforeItLeadsItIsNotTheCoordinator) {
  EXPECT_EQ(CommitError("g", 1), ErrorCode::kNotCoordinator);
  EXPECT_EQ(groups->Read(FetchRequest{.group_id = "g"}).error,
            ErrorCode::kNotCoordinator);
  EXPECT_EQ(replicas.appends, 0);
}

TEST_F(GroupPartitionTest, ACommitIsAnsweredAndVisibleWhenItIsCommitted) {
  Lead();
  replicas.auto_commit = false;
  auto result = Commit("g", 5);
  EXPECT_FALSE(*result);
  EXPECT_EQ(Fetched("g"), -1);
  replicas.Commit();
  executor.RunReady();
  ASSERT_TRUE(*result);
  EXPECT_EQ((*result)->error, ErrorCode::kNone);
  EXPECT_EQ(Fetched("g"), 5);
}

TEST_F(GroupPartitionTest, WhatNoRecordHoldsIsRefusedAndNothingIsWritten) {
  Lead();
  const std::string endless(40'000, 'g');
  EXPECT_EQ(CommitError(endless, 5), ErrorCode::kUnknownServerError);
  EXPECT_EQ(replicas.appends, 0);
  EXPECT_EQ(Fetched(endless), -1);
  EXPECT_EQ(CommitError("g", 5), ErrorCode::kNone);
}

TEST_F(GroupPartitionTest, WhatArrivesWhileAnAppendRunsGoesIntoTheNextOne) {
  Lead();
  replicas.auto_commit = false;
  std::vector<std::shared_ptr<std::optional<CommitResult>>> results;
  for (int i = 0; i < 20; ++i)
    results.push_back(Commit("g" + std::to_string(i), i));
  EXPECT_EQ(replicas.appends, 1);
  replicas.Commit();
  executor.RunReady();
  EXPECT_EQ(replicas.appends, 2);
  EXPECT_TRUE(*results[0]);
  EXPECT_FALSE(*results[1]);
  replicas.Commit();
  executor.RunReady();
  EXPECT_EQ(replicas.appends, 2);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(*results[i]) << i;
    EXPECT_EQ(Fetched("g" + std::to_string(i)), i);
  }
}

TEST_F(GroupPartitionTest,
       ASuccessorLoadsAllOfTheLogAndServesWhenItsEndIsCommitted) {
  Lead();
  EXPECT_EQ(CommitError("g", 5), ErrorCode::kNone);
  replicas.auto_commit = false;
  Commit("g", 6);  // in the log, not known to be committed
  groups->Resign(++replicas.epoch);

  groups = NewCoordinator();
  Lead();
  executor.Advance(seconds(1));
  EXPECT_EQ(groups->Availability(), ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_EQ(CommitError("g", 7), ErrorCode::kCoordinatorLoadInProgress);
  EXPECT_EQ(groups->Read(ListRequest{}).error,
            ErrorCode::kCoordinatorLoadInProgress);
  replicas.Commit();
  executor.Advance(seconds(1));
  EXPECT_EQ(groups->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Fetched("g"), 6);
}

TEST_F(GroupPartitionTest, ALoadTakesAsManyReadsAsTheLogIsLong) {
  Lead();
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(CommitError("g" + std::to_string(i), i), ErrorCode::kNone);
  Lead();
  EXPECT_EQ(groups->Availability(), ErrorCode::kNone);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Fetched("g" + std::to_string(i)), i);
}

TEST_F(GroupPartitionTest, ResigningFailsWhoeverWaits) {
  Lead();
  replicas.auto_commit = false;
  auto commit = Commit("g", 5);
  std::optional<JoinResult> join;
  groups->Submit(JoinRequest{.group_id = "h",
                             .session_timeout_ms = 10'000,
                             .rebalance_timeout_ms = 10'000,
                             .protocol_type = "consumer",
                             .protocols = {{"range", "m"}},
                             .new_member_id = "a-1"},
                 [&](JoinResult r) { join = std::move(r); });
  EXPECT_FALSE(join);
  groups->Resign(++replicas.epoch);
  ASSERT_TRUE(join);
  EXPECT_EQ(join->error, ErrorCode::kNotCoordinator);
  ASSERT_TRUE(*commit);
  EXPECT_EQ((*commit)->error, ErrorCode::kNotCoordinator);
  // The late result of the old term and its timers change nothing.
  replicas.Commit();
  executor.Advance(seconds(60));
  EXPECT_EQ(groups->Availability(), ErrorCode::kNotCoordinator);
}

TEST_F(GroupPartitionTest, AnOlderEpochChangesNothing) {
  Lead();
  const LeaderEpoch epoch = replicas.epoch;
  groups->Resign(epoch - 1);
  EXPECT_EQ(groups->Availability(), ErrorCode::kNone);
  groups->Resign(epoch + 1);
  groups->Lead(epoch);
  executor.RunReady();
  EXPECT_EQ(groups->Availability(), ErrorCode::kNotCoordinator);
}

TEST_F(GroupPartitionTest, ARefusedAppendLeavesNoTrace) {
  Lead();
  replicas.refuse = ErrorCode::kNotEnoughReplicas;
  EXPECT_EQ(CommitError("g", 5), ErrorCode::kCoordinatorNotAvailable);
  replicas.refuse.reset();
  EXPECT_EQ(groups->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Fetched("g"), -1);
  EXPECT_EQ(CommitError("g", 6), ErrorCode::kNone);
  EXPECT_EQ(Fetched("g"), 6);
}

TEST_F(GroupPartitionTest, AfterAnAppendOfUnknownOutcomeTheLogDecides) {
  Lead();
  replicas.auto_commit = false;
  auto result = Commit("g", 5);
  replicas.FailWaiting(ErrorCode::kRequestTimedOut);
  executor.RunReady();
  ASSERT_TRUE(*result);
  EXPECT_EQ((*result)->error, ErrorCode::kCoordinatorNotAvailable);
  executor.Advance(seconds(1));
  EXPECT_EQ(groups->Availability(), ErrorCode::kCoordinatorLoadInProgress);
  replicas.Commit();
  executor.Advance(seconds(1));
  EXPECT_EQ(groups->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Fetched("g"), 5);
}

TEST_F(GroupPartitionTest, CallersWaitNoLongerThanTheCommitTimeout) {
  Lead();
  replicas.auto_commit = false;
  auto result = Commit("g", 5);
  executor.Advance(milliseconds(4'999));
  EXPECT_FALSE(*result);
  executor.Advance(milliseconds(1));
  ASSERT_TRUE(*result);
  EXPECT_EQ((*result)->error, ErrorCode::kCoordinatorNotAvailable);
  replicas.Commit();
  executor.RunReady();
  EXPECT_EQ(Fetched("g"), 5);
}

TEST_F(GroupPartitionTest, LostLeadershipOnAppendMeansNotCoordinator) {
  Lead();
  ++replicas.epoch;  // somebody else leads; we have not been told
  EXPECT_EQ(CommitError("g", 5), ErrorCode::kNotCoordinator);
  EXPECT_NE(groups->Availability(), ErrorCode::kNone);
}

TEST_F(GroupPartitionTest, ARebalanceRunsOnTimersAndSurvivesFailover) {
  Lead();
  std::optional<JoinResult> join;
  const JoinRequest request{.group_id = "g",
                            .session_timeout_ms = 10'000,
                            .rebalance_timeout_ms = 60'000,
                            .protocol_type = "consumer",
                            .protocols = {{"range", "m"}},
                            .new_member_id = "a-1"};
  groups->Submit(request, [&](JoinResult r) { join = std::move(r); });
  executor.Advance(seconds(3));
  ASSERT_TRUE(join);
  EXPECT_EQ(join->generation, 1);
  std::optional<SyncResult> sync;
  groups->Submit(SyncRequest{.group_id = "g",
                             .generation = 1,
                             .member_id = "a-1",
                             .assignments = {{"a-1", "x"}}},
                 [&](SyncResult r) { sync = std::move(r); });
  executor.RunReady();
  ASSERT_TRUE(sync);
  EXPECT_EQ(sync->assignment, "x");

  executor.Advance(seconds(9));
  groups->Resign(++replicas.epoch);
  Lead();
  executor.Advance(seconds(9));
  ASSERT_EQ(groups->Read(DescribeRequest{"g"}).state, "Stable");
  EXPECT_EQ(groups->Read(DescribeRequest{"g"}).members[0].assignment, "x");
  executor.Advance(seconds(2));
  EXPECT_EQ(groups->Read(DescribeRequest{"g"}).state, "Empty");
}

TEST_F(GroupPartitionTest, OffsetsExpireByThemselves) {
  config.offsets_retention_ms = 1'000;
  groups = NewCoordinator();
  Lead();
  EXPECT_EQ(CommitError("g", 5), ErrorCode::kNone);
  executor.Advance(seconds(601));
  EXPECT_EQ(Fetched("g"), -1);
  EXPECT_TRUE(groups->Read(ListRequest{}).groups.empty());
}

TEST_F(GroupPartitionTest, DeletedTopicsAreForgotten) {
  Lead();
  EXPECT_EQ(CommitError("g", 5), ErrorCode::kNone);
  groups->OnImage({{"other"}});
  executor.RunReady();
  EXPECT_EQ(Fetched("g"), 5);
  groups->OnImage({{"t"}});
  executor.RunReady();
  EXPECT_EQ(Fetched("g"), -1);
}

TEST_F(GroupPartitionTest, TopicsDeletedWhileItLoadsAreForgottenAfterwards) {
  Lead();
  ASSERT_EQ(CommitError("g", 5), ErrorCode::kNone);
  groups->Lead(++replicas.epoch);
  ASSERT_EQ(groups->Availability(), ErrorCode::kCoordinatorLoadInProgress);
  groups->OnImage({{"t"}});
  executor.RunReady();
  ASSERT_EQ(groups->Availability(), ErrorCode::kNone);
  EXPECT_EQ(Fetched("g"), -1);
}

TEST_F(GroupPartitionTest, AClientsOwnCommitTimeDecidesNothing) {
  config.offsets_retention_ms = 1'000;
  groups = NewCoordinator();
  Lead();
  CommitRequest request = CommitOf("g", 5);
  request.partitions[0].value.commit_timestamp_ms = INT64_MAX / 2;
  groups->Submit(request, [](CommitResult) {});
  executor.RunReady();
  EXPECT_EQ(Fetched("g"), 5);
  executor.Advance(seconds(601));
  EXPECT_EQ(Fetched("g"), -1) << "kept by the client's clock";
}

TEST_F(GroupPartitionTest, ALargeDeletionIsSplitAndAllOfItCounts) {
  Lead();
  CommitRequest request{.group_id = "g"};
  for (int i = 0; i < 20'000; ++i)
    request.partitions.push_back({{"topic", i}, {.offset = i}});
  groups->Submit(request,
                 [](CommitResult r) { EXPECT_EQ(r.error, ErrorCode::kNone); });
  executor.RunReady();
  EXPECT_GT(replicas.appends, 1);
  for (const std::string& batch : replicas.batches)
    EXPECT_LT(batch.size(), 1'000'000u);
  std::optional<DeleteResult> deleted;
  groups->Submit(DeleteRequest{"g"}, [&](DeleteResult r) { deleted = r; });
  executor.RunReady();
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->error, ErrorCode::kNone);
  EXPECT_EQ(groups->Read(DescribeRequest{"g"}).error,
            ErrorCode::kGroupIdNotFound);
}

TEST_F(GroupPartitionTest, AnUnreadableLogIsNotServedAndTriedAgain) {
  record::BatchBuilder builder;
  builder.Add(1, std::string("\0\1\0", 3), "x");  // a cut-off offset key
  replicas.batches.push_back(builder.Build());
  replicas.Commit();
  Lead();
  EXPECT_EQ(groups->Availability(), ErrorCode::kNotCoordinator);
  replicas.batches.clear();
  replicas.Commit();
  executor.Advance(seconds(6));
  EXPECT_EQ(groups->Availability(), ErrorCode::kNone);
}

TEST_F(GroupPartitionTest, RecordsOfUnknownKindsAreSkipped) {
  record::BatchBuilder builder;
  builder.Add(1, std::string("\0\3xyz", 5), "x");  // ConsumerGroupMetadata
  replicas.batches.push_back(builder.Build());
  replicas.Commit();
  Lead();
  EXPECT_EQ(groups->Availability(), ErrorCode::kNone);
}

TEST(GroupRecords, KafkasBytes) {
  using std::string_literals::operator""s;
  const LogRecord offset =
      EncodeGroupRecord(
          OffsetRecord{"g", {"t", 2}, CommittedOffset{5, 7, "m", 9}})
          .value();
  EXPECT_EQ(offset.key, "\0\1\0\1g\0\1t\0\0\0\2"s);
  EXPECT_EQ(offset.value,
            "\0\3\0\0\0\0\0\0\0\5\0\0\0\7\0\1m\0\0\0\0\0\0\0\x09"s);
  const LogRecord group =
      EncodeGroupRecord(
          GroupMetadataRecord{
              "g", StoredGroup{"consumer",
                               3,
                               "range",
                               "a",
                               9,
                               {{"a", "i", "c", "/h", 6, 5, "sub", "as"}}}})
          .value();
  EXPECT_EQ(group.key, "\0\2\0\1g"s);
  EXPECT_EQ(group.value,
            "\0\3\0\10consumer\0\0\0\3\0\5range\0\1a\0\0\0\0\0\0\0\x09"
            "\0\0\0\1\0\1a\0\1i\0\1c\0\2/h\0\0\0\6\0\0\0\5"
            "\0\0\0\3sub\0\0\0\2as"s);
  EXPECT_EQ(EncodeGroupRecord(GroupMetadataRecord{"g", {}}).value().value,
            std::nullopt);
}

TEST(GroupRecords, CutOffRecordsAreErrors) {
  const LogRecord group =
      EncodeGroupRecord(
          GroupMetadataRecord{
              "g", StoredGroup{"consumer",
                               3,
                               "range",
                               "a",
                               9,
                               {{"a", "i", "c", "/h", 6, 5, "sub", "as"}}}})
          .value();
  for (size_t n = 0; n < group.value->size(); ++n)
    EXPECT_FALSE(DecodeGroupRecord(group.key, group.value->substr(0, n)));
  for (size_t n = 0; n < group.key.size(); ++n)
    EXPECT_FALSE(DecodeGroupRecord(group.key.substr(0, n), group.value));
}

}  // namespace
}  // namespace tidemark::coordinator
