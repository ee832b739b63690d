#include "broker/coordinator/group_coordinator.h"

#include <gtest/gtest.h>

#include "common/kafka/messages/delete_groups.h"
#include "common/kafka/messages/describe_groups.h"
#include "common/kafka/messages/find_coordinator.h"
#include "common/kafka/messages/heartbeat.h"
#include "common/kafka/messages/leave_group.h"
#include "common/kafka/messages/list_groups.h"
#include "common/kafka/messages/offset_commit.h"
#include "common/kafka/messages/offset_fetch.h"
#include "common/kafka/messages/sync_group.h"
#include "tests/unit/broker/coordinator/group_coordinator_fixture.h"

namespace tidemark::coordinator {
namespace {

using std::chrono::seconds;

TEST(JavaHash, IsJavasStringHashCode) {
  EXPECT_EQ(JavaHash(""), 0);
  EXPECT_EQ(JavaHash("a"), 97);
  EXPECT_EQ(JavaHash("my-group"), -1906497762);
  EXPECT_EQ(JavaHash("polygenelubricants"), INT32_MIN);
  EXPECT_EQ(JavaHash("\xc3\xa9"), 233);                           // U+00E9
  EXPECT_EQ(JavaHash("\xf0\x9f\x98\x80"), 0xd83d * 31 + 0xde00);  // surrogates
  EXPECT_EQ(JavaHash("\xff"), 0xfffd);
}

TEST_F(GroupCoordinatorTest, TheOffsetsTopicIsCreatedOnceOnFirstUse) {
  for (int32_t id : {1, 2, 3}) AddBroker(id, false);
  EXPECT_EQ(groups.Locate("g", "PLAINTEXT").error,
            ErrorCode::kCoordinatorNotAvailable);
  EXPECT_EQ(groups.Locate("h", "PLAINTEXT").error,
            ErrorCode::kCoordinatorNotAvailable);
  ASSERT_EQ(controller.created.size(), 1u);
  const auto& topic = controller.created[0].topics(0);
  EXPECT_EQ(topic.name(), "__consumer_offsets");
  EXPECT_EQ(topic.partitions(), 50);
  EXPECT_EQ(topic.replication_factor(), 3);
  EXPECT_EQ(topic.configs().at("cleanup.policy"), "compact");
  EXPECT_EQ(topic.configs().at("segment.bytes"), "104857600");
  EXPECT_EQ(topic.configs().at("compression.type"), "producer");
  controller.create_done[0](Fail(ErrorCode::kRequestTimedOut));
  (void)groups.Locate("g", "PLAINTEXT");
  EXPECT_EQ(controller.created.size(), 2u);
}

TEST_F(GroupCoordinatorTest, TheOffsetsTopicWaitsForEnoughLivingBrokers) {
  // Only the first of three has registered, then one is not alive yet.
  AddBroker(1, false);
  AddBroker(2, false);
  for (bool registered : {false, true}) {
    if (registered) AddBroker(3, true);
    EXPECT_EQ(groups.Locate("g", "PLAINTEXT").error,
              ErrorCode::kCoordinatorNotAvailable);
    EXPECT_TRUE(controller.created.empty());
  }
}

TEST_F(GroupCoordinatorTest, GroupsComeBackWhenTheOffsetsTopicIsMadeAnew) {
  Serve();
  groups.OnLeader({kOffsetsTopic, 0}, replicas.epoch = 7);
  executor.RunReady();
  ASSERT_EQ(Call(server::HandleJoinGroup, 4, Join("g"))->error_code,
            Code(ErrorCode::kMemberIdRequired));
  // Deleted, and led here again from the first epoch of its successor.
  groups.OnTopicsDeleted({kOffsetsTopic});
  executor.RunReady();
  EXPECT_EQ(Call(server::HandleJoinGroup, 4, Join("g"))->error_code,
            Code(ErrorCode::kNotCoordinator));
  groups.OnNotLeader({kOffsetsTopic, 0}, 7);
  groups.OnLeader({kOffsetsTopic, 0}, replicas.epoch = 0);
  executor.RunReady();
  EXPECT_EQ(Call(server::HandleJoinGroup, 4, Join("g"))->error_code,
            Code(ErrorCode::kMemberIdRequired));
}

TEST_F(GroupCoordinatorTest, AnEmptyGroupIdIsInvalidAtEveryBroker) {
  AddBroker(1, false);
  AddTopic(kOffsetsTopic, 1);
  EXPECT_EQ(Call(server::HandleJoinGroup, 4, Join(""))->error_code,
            Code(ErrorCode::kInvalidGroupId));
  EXPECT_EQ(Call(server::HandleHeartbeat, 3, {.group_id = ""})->error_code,
            Code(ErrorCode::kInvalidGroupId));
  EXPECT_EQ(Call(server::HandleSyncGroup, 3, {.group_id = ""})->error_code,
            Code(ErrorCode::kInvalidGroupId));
  kafka::LeaveGroupRequest leave{.group_id = ""};
  leave.members = {{.member_id = "m"}};
  EXPECT_EQ(Call(server::HandleLeaveGroup, 3, leave)->error_code,
            Code(ErrorCode::kInvalidGroupId));
}

TEST_F(GroupCoordinatorTest, LeavingAnUnknownGroupFailsAsAWhole) {
  Serve();
  kafka::LeaveGroupRequest leave{.group_id = "nobody"};
  leave.members = {{.member_id = "m"}};
  auto left = Call(server::HandleLeaveGroup, 3, leave);
  EXPECT_EQ(left->error_code, Code(ErrorCode::kUnknownMemberId));
  EXPECT_TRUE(left->members.empty());
}

TEST_F(GroupCoordinatorTest, FindCoordinatorNamesTheListenerOfTheRequest) {
  Serve();
  auto one = Call(server::HandleFindCoordinator, 1, {.key = "g"});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->error_code, 0);
  EXPECT_EQ(one->node_id, 1);
  EXPECT_EQ(one->host, "EXTERNAL.host");
  EXPECT_EQ(one->port, 9093);
  auto many =
      Call(server::HandleFindCoordinator, 4, {.coordinator_keys = {"g", "h"}});
  ASSERT_EQ(many->coordinators.size(), 2u);
  EXPECT_EQ(many->coordinators[1].key, "h");
  EXPECT_EQ(many->coordinators[1].node_id, 1);
  auto transaction = Call(server::HandleFindCoordinator, 4,
                          {.key_type = 1, .coordinator_keys = {"tx"}});
  EXPECT_EQ(transaction->coordinators[0].error_code,
            Code(ErrorCode::kUnsupportedVersion));
  EXPECT_EQ(transaction->coordinators[0].node_id, -1);
}

TEST_F(GroupCoordinatorTest, JoinGroupVersions) {
  Serve();
  auto required = Call(server::HandleJoinGroup, 4, Join("g"));
  ASSERT_TRUE(required);
  EXPECT_EQ(required->error_code, Code(ErrorCode::kMemberIdRequired));
  EXPECT_EQ(required->member_id.rfind("c-", 0), 0u);
  EXPECT_EQ(required->protocol_name, "");
  auto nullable = Call(server::HandleJoinGroup, 7, Join("g", "nobody"));
  EXPECT_EQ(nullable->error_code, Code(ErrorCode::kUnknownMemberId));
  EXPECT_EQ(nullable->protocol_name, std::nullopt);
  EXPECT_EQ(nullable->member_id, "nobody");
  auto joined = Call(server::HandleJoinGroup, 0, Join("h"), seconds(3));
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->error_code, 0);
  EXPECT_EQ(joined->generation_id, 1);
  EXPECT_EQ(joined->leader, joined->member_id);
  ASSERT_EQ(joined->members.size(), 1u);
  EXPECT_EQ(joined->members[0].metadata.view(), "m");
}

TEST_F(GroupCoordinatorTest, ALongClientIdStillMakesAMemberIdThatFits) {
  Serve();
  server::RequestContext context{.version = 4,
                                 .client_id = std::string(32'767, 'c'),
                                 .services = &services};
  std::string member_id;
  server::HandleJoinGroup(context, Join("g"), [&](kafka::JoinGroupResponse r) {
    member_id = r.member_id;
  });
  executor.RunReady();
  EXPECT_GT(member_id.size(), 255u);
  EXPECT_LT(member_id.size(), 400u);
}

TEST_F(GroupCoordinatorTest, WhileLoadingClientsHearWhatTheyExpect) {
  StartLoading();
  EXPECT_EQ(Call(server::HandleJoinGroup, 5, Join("g"))->error_code,
            Code(ErrorCode::kCoordinatorLoadInProgress));
  EXPECT_EQ(Call(server::HandleHeartbeat, 3, {.group_id = "g"})->error_code, 0);
  EXPECT_EQ(Call(server::HandleSyncGroup, 3, {.group_id = "g"})->error_code,
            Code(ErrorCode::kRebalanceInProgress));
  EXPECT_EQ(Call(server::HandleListGroups, 4, {})->error_code,
            Code(ErrorCode::kCoordinatorLoadInProgress));
  kafka::OffsetFetchRequest one{.group_id = "g"};
  one.topics = {{{.name = "t", .partition_indexes = {0}}}};
  auto v1 = Call(server::HandleOffsetFetch, 1, one);
  EXPECT_EQ(v1->topics[0].partitions[0].error_code,
            Code(ErrorCode::kCoordinatorLoadInProgress));
  auto v5 = Call(server::HandleOffsetFetch, 5, one);
  EXPECT_EQ(v5->error_code, Code(ErrorCode::kCoordinatorLoadInProgress));
  EXPECT_TRUE(v5->topics.empty());
  auto v8 = Call(server::HandleOffsetFetch, 8, {.groups = {{.group_id = "g"}}});
  EXPECT_EQ(v8->groups[0].error_code,
            Code(ErrorCode::kCoordinatorLoadInProgress));
}

TEST_F(GroupCoordinatorTest, NotLedHereIsNotCoordinator) {
  AddBroker(1, false);
  AddTopic(kOffsetsTopic, 1);
  EXPECT_EQ(Call(server::HandleHeartbeat, 3, {.group_id = "g"})->error_code,
            Code(ErrorCode::kNotCoordinator));
  EXPECT_TRUE(Call(server::HandleListGroups, 4, {})->groups.empty());
}

TEST_F(GroupCoordinatorTest, CommittedOffsetsComeBackInBothLayouts) {
  Serve();
  kafka::OffsetCommitRequest commit{.group_id = "g"};
  commit.topics = {
      {.name = "t",
       .partitions = {{.partition_index = 1, .committed_offset = 7},
                      {.partition_index = 9, .committed_offset = 7}}},
      {.name = "nope", .partitions = {{.partition_index = 0}}}};
  auto committed = Call(server::HandleOffsetCommit, 9, commit);
  ASSERT_TRUE(committed);
  EXPECT_EQ(committed->topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(committed->topics[0].partitions[1].error_code,
            Code(ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(committed->topics[1].partitions[0].error_code,
            Code(ErrorCode::kUnknownTopicOrPartition));

  kafka::OffsetFetchRequest one{.group_id = "g"};
  one.topics = {{{.name = "t", .partition_indexes = {0, 1}}}};
  auto v7 = Call(server::HandleOffsetFetch, 7, one);
  ASSERT_EQ(v7->topics.size(), 1u);
  EXPECT_EQ(v7->topics[0].partitions[0].committed_offset, -1);
  EXPECT_EQ(v7->topics[0].partitions[0].committed_leader_epoch, -1);
  EXPECT_EQ(v7->topics[0].partitions[0].metadata, "");
  EXPECT_EQ(v7->topics[0].partitions[0].error_code, 0);
  EXPECT_EQ(v7->topics[0].partitions[1].committed_offset, 7);
  auto v8 = Call(server::HandleOffsetFetch, 8,
                 {.groups = {{.group_id = "none"}, {.group_id = "g"}}});
  ASSERT_EQ(v8->groups.size(), 2u);
  EXPECT_TRUE(v8->groups[0].topics.empty());
  EXPECT_EQ(v8->groups[1].topics[0].partitions[0].committed_offset, 7);
}

TEST_F(GroupCoordinatorTest, DescribeListAndDelete) {
  Serve();
  auto joined = Call(server::HandleJoinGroup, 0, Join("g"), seconds(3));
  auto v5 = Call(server::HandleDescribeGroups, 5, {.groups = {"none", "g"}});
  EXPECT_EQ(v5->groups[0].group_state, "Dead");
  EXPECT_EQ(v5->groups[0].error_code, 0);
  EXPECT_EQ(v5->groups[1].group_state, "CompletingRebalance");
  EXPECT_EQ(v5->groups[1].members[0].client_host, "/127.0.0.1");
  EXPECT_EQ(v5->groups[1].authorized_operations, INT32_MIN);
  auto v6 = Call(server::HandleDescribeGroups, 6,
                 {.groups = {"none"}, .include_authorized_operations = true});
  EXPECT_EQ(v6->groups[0].error_code, Code(ErrorCode::kGroupIdNotFound));
  auto list = Call(server::HandleListGroups, 5, {});
  ASSERT_EQ(list->groups.size(), 1u);
  EXPECT_EQ(list->groups[0].group_type, "classic");
  auto busy =
      Call(server::HandleDeleteGroups, 2, {.groups_names = {"g", "none"}});
  EXPECT_EQ(busy->results[0].error_code, Code(ErrorCode::kNonEmptyGroup));
  EXPECT_EQ(busy->results[1].error_code, Code(ErrorCode::kGroupIdNotFound));
  kafka::LeaveGroupRequest leave{.group_id = "g"};
  leave.members = {{.member_id = joined->member_id}, {.member_id = "nobody"}};
  auto left = Call(server::HandleLeaveGroup, 3, leave);
  EXPECT_EQ(left->members[0].error_code, 0);
  EXPECT_EQ(left->members[1].error_code, Code(ErrorCode::kUnknownMemberId));
  auto single = Call(server::HandleLeaveGroup, 2,
                     {.group_id = "g", .member_id = "nobody"});
  EXPECT_EQ(single->error_code, Code(ErrorCode::kUnknownMemberId));
  auto deleted = Call(server::HandleDeleteGroups, 2, {.groups_names = {"g"}});
  EXPECT_EQ(deleted->results[0].error_code, 0);
  EXPECT_TRUE(Call(server::HandleListGroups, 5, {})->groups.empty());
}

// Whoever asks: members that join, ids that are asked for and never used,
// offsets, and what a leader assigns.
TEST_F(GroupCoordinatorTest, AllGroupsTogetherHaveABoundOfMemory) {
  Serve();
  const int16_t full = Code(ErrorCode::kCoordinatorLoadInProgress);
  kafka::JoinGroupRequest large = Join("large");
  large.protocols[0].metadata = SharedBytes(std::string(kMemory / 8, 'm'));
  std::vector<std::string> members;
  int16_t error = 0;
  for (int i = 0; i < 20 && error != full; ++i) {
    large.member_id = "";
    auto named = Call(server::HandleJoinGroup, 4, large);
    error = named->error_code;
    if (error == full) break;
    ASSERT_EQ(error, Code(ErrorCode::kMemberIdRequired));
    large.member_id = named->member_id;
    members.push_back(named->member_id);
    auto joined = Call(server::HandleJoinGroup, 4, large);
    error = joined ? joined->error_code : int16_t{0};
  }
  EXPECT_EQ(error, full);
  EXPECT_GE(members.size(), 6u);
  EXPECT_LE(groups.memory().used(), kMemory);
  // A small one still finds its place, until that is used up, too.
  const auto fill = [&](auto ask) {
    int16_t answer = 0;
    for (int i = 0; i < 10'000 && answer != full; ++i) {
      answer = ask(std::to_string(i));
    }
    EXPECT_EQ(answer, full);
    EXPECT_LE(groups.memory().used(), kMemory);
  };
  kafka::OffsetCommitRequest commit;
  commit.topics = {{.name = "t", .partitions = {{.committed_offset = 7}}}};
  fill([&](const std::string& i) {
    commit.group_id = "g" + i;
    return Call(server::HandleOffsetCommit, 8, commit)
        ->topics[0]
        .partitions[0]
        .error_code;
  });
  EXPECT_GT(groups.memory().used(), kMemory - 2'000);
  fill([&](const std::string&) {
    return Call(server::HandleJoinGroup, 4, Join("g"))->error_code;
  });
  EXPECT_EQ(groups.memory().refused(), 3u);
  // Who is in goes on.
  commit.group_id = "g0";
  commit.topics[0].partitions[0].committed_offset = 8;
  EXPECT_EQ(Call(server::HandleOffsetCommit, 8, commit)
                ->topics[0]
                .partitions[0]
                .error_code,
            0);
  // When members leave there is room again.
  kafka::LeaveGroupRequest leave{.group_id = "large"};
  for (const std::string& id : members) leave.members.push_back({id});
  ASSERT_EQ(Call(server::HandleLeaveGroup, 3, leave)->error_code, 0);
  EXPECT_LT(groups.memory().used(), kMemory / 2);
  EXPECT_EQ(Call(server::HandleJoinGroup, 4, Join("g"))->error_code,
            Code(ErrorCode::kMemberIdRequired));
}

TEST_F(GroupCoordinatorTest, WhatALeaderAssignsIsBoundedToo) {
  Serve();
  auto joined = Call(server::HandleJoinGroup, 0, Join("g"), seconds(3));
  ASSERT_EQ(joined->error_code, 0);
  kafka::SyncGroupRequest sync{.group_id = "g",
                               .generation_id = joined->generation_id,
                               .member_id = joined->member_id};
  sync.assignments = {
      {joined->member_id, SharedBytes(std::string(kMemory, 'a'))}};
  // At an error librdkafka would join, be told of the same generation and ask
  // again, thousands of times a second.
  EXPECT_FALSE(Call(server::HandleSyncGroup, 3, sync));
  EXPECT_LE(groups.memory().used(), kMemory);
  EXPECT_EQ(groups.memory().refused(), 1u);
  sync.assignments[0].assignment = SharedBytes(std::string("a"));
  EXPECT_EQ(Call(server::HandleSyncGroup, 3, sync)->error_code, 0);
}

TEST_F(GroupCoordinatorTest, ALeaderThatAssignsTooMuchIsDroppedInTheEnd) {
  Serve();
  kafka::JoinGroupRequest join = Join("g");
  join.session_timeout_ms = 10'000;
  join.rebalance_timeout_ms = 20'000;
  auto joined = Call(server::HandleJoinGroup, 1, join, seconds(3));
  ASSERT_EQ(joined->error_code, 0);
  kafka::SyncGroupRequest sync{.group_id = "g",
                               .generation_id = joined->generation_id,
                               .member_id = joined->member_id};
  sync.assignments = {
      {joined->member_id, SharedBytes(std::string(kMemory, 'a'))}};
  EXPECT_EQ(Call(server::HandleSyncGroup, 3, sync, seconds(21))->error_code,
            Code(ErrorCode::kUnknownMemberId));
}

// What is in the log counts at its next leader, however much it is.
TEST_F(GroupCoordinatorTest, MemoryIsCountedAgainFromTheLog) {
  Serve();
  kafka::OffsetCommitRequest commit;
  commit.topics = {
      {.name = "t",
       .partitions = {{.committed_offset = 7,
                       .committed_metadata = std::string(4'000, 'm')}}}};
  for (int i = 0; i < 100; ++i) {
    commit.group_id = "g" + std::to_string(i);
    ASSERT_TRUE(Call(server::HandleOffsetCommit, 8, commit));
  }
  const size_t used = groups.memory().used();
  EXPECT_GT(used, 400'000u);
  groups.OnNotLeader({kOffsetsTopic, 0}, ++replicas.epoch);
  executor.RunReady();
  EXPECT_EQ(groups.memory().used(), 0u);
  groups.OnLeader({kOffsetsTopic, 0}, ++replicas.epoch);
  executor.RunReady();
  EXPECT_EQ(groups.memory().used(), used);
}

TEST_F(GroupCoordinatorTest, SyncFromVersion5NamesItsProtocol) {
  Serve();
  EXPECT_EQ(Call(server::HandleSyncGroup, 5, {.group_id = "g"})->error_code,
            Code(ErrorCode::kInconsistentGroupProtocol));
  EXPECT_EQ(Call(server::HandleSyncGroup, 4, {.group_id = "g"})->error_code,
            Code(ErrorCode::kUnknownMemberId));
}

}  // namespace
}  // namespace tidemark::coordinator
