#include "broker/kafka/handlers/table.h"

#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/add_offsets_to_txn.h"
#include "common/kafka/messages/add_partitions_to_txn.h"
#include "common/kafka/messages/add_raft_voter.h"
#include "common/kafka/messages/alter_configs.h"
#include "common/kafka/messages/alter_partition_reassignments.h"
#include "common/kafka/messages/alter_replica_log_dirs.h"
#include "common/kafka/messages/api_versions.h"
#include "common/kafka/messages/create_partitions.h"
#include "common/kafka/messages/create_topics.h"
#include "common/kafka/messages/delete_groups.h"
#include "common/kafka/messages/delete_records.h"
#include "common/kafka/messages/delete_topics.h"
#include "common/kafka/messages/describe_cluster.h"
#include "common/kafka/messages/describe_configs.h"
#include "common/kafka/messages/describe_groups.h"
#include "common/kafka/messages/describe_log_dirs.h"
#include "common/kafka/messages/describe_producers.h"
#include "common/kafka/messages/describe_quorum.h"
#include "common/kafka/messages/describe_topic_partitions.h"
#include "common/kafka/messages/describe_transactions.h"
#include "common/kafka/messages/elect_leaders.h"
#include "common/kafka/messages/end_txn.h"
#include "common/kafka/messages/fetch.h"
#include "common/kafka/messages/find_coordinator.h"
#include "common/kafka/messages/get_telemetry_subscriptions.h"
#include "common/kafka/messages/heartbeat.h"
#include "common/kafka/messages/incremental_alter_configs.h"
#include "common/kafka/messages/init_producer_id.h"
#include "common/kafka/messages/join_group.h"
#include "common/kafka/messages/leave_group.h"
#include "common/kafka/messages/list_config_resources.h"
#include "common/kafka/messages/list_groups.h"
#include "common/kafka/messages/list_offsets.h"
#include "common/kafka/messages/list_partition_reassignments.h"
#include "common/kafka/messages/list_transactions.h"
#include "common/kafka/messages/metadata.h"
#include "common/kafka/messages/offset_commit.h"
#include "common/kafka/messages/offset_delete.h"
#include "common/kafka/messages/offset_fetch.h"
#include "common/kafka/messages/offset_for_leader_epoch.h"
#include "common/kafka/messages/produce.h"
#include "common/kafka/messages/push_telemetry.h"
#include "common/kafka/messages/remove_raft_voter.h"
#include "common/kafka/messages/sync_group.h"
#include "common/kafka/messages/txn_offset_commit.h"
#include "common/kafka/messages/unregister_broker.h"
#include "common/kafka/messages/update_features.h"
#include "common/kafka/messages/write_txn_markers.h"

namespace tidemark::server {
namespace {

constexpr Api kTable[] = {
    MakeApi<HandleProduce>(
        {Resource::kTopic, Operation::kWrite, QuotaClass::kProduce})
        .AdvertisedFrom(0),
    MakeApi<HandleFetch>(
        {Resource::kTopic, Operation::kRead, QuotaClass::kFetch}),
    MakeApi<HandleListOffsets>({Resource::kTopic, Operation::kDescribe}),
    MakeApi<HandleMetadata>({Resource::kTopic, Operation::kDescribe}),
    MakeApi<HandleOffsetCommit>({Resource::kGroup, Operation::kRead}),
    MakeApi<HandleOffsetFetch>({Resource::kGroup, Operation::kDescribe}),
    MakeApi<HandleFindCoordinator>({Resource::kGroup, Operation::kDescribe}),
    MakeApi<HandleJoinGroup>({Resource::kGroup, Operation::kRead}),
    MakeApi<HandleHeartbeat>({Resource::kGroup, Operation::kRead}),
    MakeApi<HandleLeaveGroup>({Resource::kGroup, Operation::kRead}),
    MakeApi<HandleSyncGroup>({Resource::kGroup, Operation::kRead}),
    MakeApi<HandleDescribeGroups>({Resource::kGroup, Operation::kDescribe}),
    MakeApi<HandleListGroups>({Resource::kCluster, Operation::kDescribe}),
    MakeApi<HandleApiVersions>(
        {Resource::kNone, Operation::kNone, QuotaClass::kExempt}),
    MakeApi<HandleCreateTopics>({Resource::kCluster, Operation::kCreate,
                                 QuotaClass::kControllerMutation}),
    MakeApi<HandleDeleteTopics>({Resource::kTopic, Operation::kDelete,
                                 QuotaClass::kControllerMutation}),
    MakeApi<HandleDeleteRecords>({Resource::kTopic, Operation::kDelete}),
    MakeApi<HandleInitProducerId>(
        {Resource::kCluster, Operation::kIdempotentWrite}),
    MakeApi<HandleOffsetForLeaderEpoch>(
        {Resource::kTopic, Operation::kDescribe}),
    MakeApi<HandleAddPartitionsToTxn>(
        {Resource::kTransactionalId, Operation::kWrite}),
    MakeApi<HandleAddOffsetsToTxn>(
        {Resource::kTransactionalId, Operation::kWrite}),
    MakeApi<HandleEndTxn>({Resource::kTransactionalId, Operation::kWrite}),
    MakeApi<HandleWriteTxnMarkers>(
        {Resource::kCluster, Operation::kClusterAction}),
    MakeApi<HandleTxnOffsetCommit>(
        {Resource::kTransactionalId, Operation::kWrite}),
    MakeApi<HandleDescribeConfigs>(
        {Resource::kTopic, Operation::kDescribeConfigs}),
    MakeApi<HandleAlterReplicaLogDirs>({Resource::kCluster, Operation::kAlter}),
    MakeApi<HandleDescribeLogDirs>({Resource::kCluster, Operation::kDescribe}),
    MakeApi<HandleAlterConfigs>({Resource::kTopic, Operation::kAlterConfigs}),
    MakeApi<HandleListConfigResources>(
        {Resource::kCluster, Operation::kDescribeConfigs}),
    MakeApi<HandleCreatePartitions>(
        {Resource::kTopic, Operation::kAlter, QuotaClass::kControllerMutation}),
    MakeApi<HandleDeleteGroups>({Resource::kGroup, Operation::kDelete}),
    MakeApi<HandleElectLeaders>({Resource::kCluster, Operation::kAlter}),
    MakeApi<HandleIncrementalAlterConfigs>(
        {Resource::kTopic, Operation::kAlterConfigs}),
    MakeApi<HandleOffsetDelete>({Resource::kGroup, Operation::kDelete}),
    MakeApi<HandleAlterPartitionReassignments>(
        {Resource::kCluster, Operation::kAlter}),
    MakeApi<HandleListPartitionReassignments>(
        {Resource::kCluster, Operation::kDescribe}),
    MakeApi<HandleDescribeQuorum>({Resource::kCluster, Operation::kDescribe}),
    MakeApi<HandleUpdateFeatures>({Resource::kCluster, Operation::kAlter}),
    MakeApi<HandleDescribeCluster>({Resource::kCluster, Operation::kDescribe}),
    MakeApi<HandleDescribeProducers>({Resource::kTopic, Operation::kRead}),
    MakeApi<HandleUnregisterBroker>({Resource::kCluster, Operation::kAlter}),
    MakeApi<HandleDescribeTransactions>(
        {Resource::kTransactionalId, Operation::kDescribe}),
    MakeApi<HandleListTransactions>(
        {Resource::kTransactionalId, Operation::kDescribe}),
    // Of what it tells of itself; whoever may connect may.
    MakeApi<HandleGetTelemetrySubscriptions>(),
    MakeApi<HandlePushTelemetry>(),
    MakeApi<HandleDescribeTopicPartitions>(
        {Resource::kTopic, Operation::kDescribe}),
    MakeApi<HandleAddRaftVoter>({Resource::kCluster, Operation::kAlter}),
    MakeApi<HandleRemoveRaftVoter>({Resource::kCluster, Operation::kAlter}),
};

}  // namespace

std::span<const Api> HandlerTable() { return kTable; }

}  // namespace tidemark::server
