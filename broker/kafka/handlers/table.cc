#include "broker/kafka/handlers/table.h"

#include "broker/kafka/handlers/guards.h"
#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/add_offsets_to_txn.h"
#include "common/kafka/messages/add_partitions_to_txn.h"
#include "common/kafka/messages/add_raft_voter.h"
#include "common/kafka/messages/alter_configs.h"
#include "common/kafka/messages/alter_partition_reassignments.h"
#include "common/kafka/messages/alter_replica_log_dirs.h"
#include "common/kafka/messages/alter_user_scram_credentials.h"
#include "common/kafka/messages/api_versions.h"
#include "common/kafka/messages/create_acls.h"
#include "common/kafka/messages/create_partitions.h"
#include "common/kafka/messages/create_topics.h"
#include "common/kafka/messages/delete_acls.h"
#include "common/kafka/messages/delete_groups.h"
#include "common/kafka/messages/delete_records.h"
#include "common/kafka/messages/delete_topics.h"
#include "common/kafka/messages/describe_acls.h"
#include "common/kafka/messages/describe_client_quotas.h"
#include "common/kafka/messages/describe_cluster.h"
#include "common/kafka/messages/describe_configs.h"
#include "common/kafka/messages/describe_groups.h"
#include "common/kafka/messages/describe_log_dirs.h"
#include "common/kafka/messages/describe_producers.h"
#include "common/kafka/messages/describe_quorum.h"
#include "common/kafka/messages/describe_topic_partitions.h"
#include "common/kafka/messages/describe_transactions.h"
#include "common/kafka/messages/describe_user_scram_credentials.h"
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
#include "common/kafka/messages/sasl_authenticate.h"
#include "common/kafka/messages/sasl_handshake.h"
#include "common/kafka/messages/sync_group.h"
#include "common/kafka/messages/txn_offset_commit.h"
#include "common/kafka/messages/unregister_broker.h"
#include "common/kafka/messages/update_features.h"
#include "common/kafka/messages/write_txn_markers.h"

namespace tidemark::server {
namespace {

using enum AclOperation;

constexpr Api kTable[] = {
    MakeApi<HandleProduce, GuardProduce>(
        {AclResource::kTopic, kWrite, QuotaClass::kProduce})
        .AdvertisedFrom(0),
    MakeApi<HandleFetch, GuardFetch>(
        {AclResource::kTopic, kRead, QuotaClass::kFetch}),
    MakeApi<HandleListOffsets, GuardListOffsets>(
        {AclResource::kTopic, kDescribe}),
    MakeApi<HandleMetadata, GuardMetadata>({AclResource::kTopic, kDescribe}),
    MakeApi<HandleOffsetCommit, GuardOffsetCommit>(
        {AclResource::kGroup, kRead}),
    MakeApi<HandleOffsetFetch, GuardOffsetFetch>(
        {AclResource::kGroup, kDescribe}),
    MakeApi<HandleFindCoordinator, GuardFindCoordinator>(
        {AclResource::kGroup, kDescribe}),
    MakeApi<HandleJoinGroup, GuardJoinGroup>({AclResource::kGroup, kRead}),
    MakeApi<HandleHeartbeat, GuardHeartbeat>({AclResource::kGroup, kRead}),
    MakeApi<HandleLeaveGroup, GuardLeaveGroup>({AclResource::kGroup, kRead}),
    MakeApi<HandleSyncGroup, GuardSyncGroup>({AclResource::kGroup, kRead}),
    MakeApi<HandleDescribeGroups, GuardDescribeGroups>(
        {AclResource::kGroup, kDescribe}),
    MakeApi<HandleListGroups, GuardListGroups>(
        {AclResource::kGroup, kDescribe}),
    MakeApi<HandleSaslHandshake>(
        {AclResource::kAny, AclOperation::kAny, QuotaClass::kExempt}),
    MakeApi<HandleApiVersions>(
        {AclResource::kAny, AclOperation::kAny, QuotaClass::kExempt}),
    MakeApi<HandleCreateTopics, GuardCreateTopics>(
        {AclResource::kTopic, kCreate, QuotaClass::kControllerMutation}),
    MakeApi<HandleDeleteTopics, GuardDeleteTopics>(
        {AclResource::kTopic, kDelete, QuotaClass::kControllerMutation}),
    MakeApi<HandleDeleteRecords, GuardDeleteRecords>(
        {AclResource::kTopic, kDelete}),
    MakeApi<HandleInitProducerId, GuardInitProducerId>(
        {AclResource::kTransactionalId, kWrite}),
    MakeApi<HandleOffsetForLeaderEpoch, GuardOffsetForLeaderEpoch>(
        {AclResource::kTopic, kDescribe}),
    MakeApi<HandleAddPartitionsToTxn, GuardAddPartitionsToTxn>(
        {AclResource::kTransactionalId, kWrite}),
    MakeApi<HandleAddOffsetsToTxn, GuardAddOffsetsToTxn>(
        {AclResource::kTransactionalId, kWrite}),
    MakeApi<HandleEndTxn, GuardEndTxn>({AclResource::kTransactionalId, kWrite}),
    MakeApi<HandleWriteTxnMarkers, GuardWriteTxnMarkers>(
        {AclResource::kCluster, kClusterAction}),
    MakeApi<HandleTxnOffsetCommit, GuardTxnOffsetCommit>(
        {AclResource::kTransactionalId, kWrite}),
    MakeApi<HandleDescribeAcls>({AclResource::kCluster, kDescribe}),
    MakeApi<HandleCreateAcls, GuardCreateAcls>({AclResource::kCluster, kAlter}),
    MakeApi<HandleDeleteAcls, GuardDeleteAcls>({AclResource::kCluster, kAlter}),
    MakeApi<HandleDescribeConfigs, GuardDescribeConfigs>(
        {AclResource::kTopic, kDescribeConfigs}),
    MakeApi<HandleAlterReplicaLogDirs, GuardAlterReplicaLogDirs>(
        {AclResource::kCluster, kAlter}),
    MakeApi<HandleDescribeLogDirs>({AclResource::kCluster, kDescribe}),
    MakeApi<HandleAlterConfigs, GuardAlterConfigs>(
        {AclResource::kTopic, kAlterConfigs}),
    MakeApi<HandleListConfigResources>(
        {AclResource::kCluster, kDescribeConfigs}),
    MakeApi<HandleSaslAuthenticate>(
        {AclResource::kAny, AclOperation::kAny, QuotaClass::kExempt}),
    MakeApi<HandleCreatePartitions, GuardCreatePartitions>(
        {AclResource::kTopic, kAlter, QuotaClass::kControllerMutation}),
    MakeApi<HandleDeleteGroups, GuardDeleteGroups>(
        {AclResource::kGroup, kDelete}),
    MakeApi<HandleElectLeaders, GuardElectLeaders>(
        {AclResource::kCluster, kAlter}),
    MakeApi<HandleIncrementalAlterConfigs, GuardIncrementalAlterConfigs>(
        {AclResource::kTopic, kAlterConfigs}),
    MakeApi<HandleOffsetDelete, GuardOffsetDelete>(
        {AclResource::kGroup, kDelete}),
    MakeApi<HandleAlterPartitionReassignments,
            GuardAlterPartitionReassignments>({AclResource::kCluster, kAlter}),
    MakeApi<HandleListPartitionReassignments>(
        {AclResource::kCluster, kDescribe}),
    MakeApi<HandleDescribeClientQuotas>(
        {AclResource::kCluster, kDescribeConfigs}),
    MakeApi<HandleDescribeUserScramCredentials>(
        {AclResource::kCluster, kDescribe}),
    MakeApi<HandleAlterUserScramCredentials, GuardAlterUserScramCredentials>(
        {AclResource::kCluster, kAlter}),
    MakeApi<HandleDescribeQuorum>({AclResource::kCluster, kDescribe}),
    MakeApi<HandleUpdateFeatures>({AclResource::kCluster, kAlter}),
    MakeApi<HandleDescribeCluster, GuardDescribeCluster>(
        {AclResource::kAny, AclOperation::kAny}),
    MakeApi<HandleDescribeProducers, GuardDescribeProducers>(
        {AclResource::kTopic, kRead}),
    MakeApi<HandleUnregisterBroker>({AclResource::kCluster, kAlter}),
    MakeApi<HandleDescribeTransactions, GuardDescribeTransactions>(
        {AclResource::kTransactionalId, kDescribe}),
    MakeApi<HandleListTransactions, GuardListTransactions>(
        {AclResource::kTransactionalId, kDescribe}),
    // Of what it tells of itself; whoever may connect may.
    MakeApi<HandleGetTelemetrySubscriptions>(),
    MakeApi<HandlePushTelemetry>(),
    MakeApi<HandleDescribeTopicPartitions, GuardDescribeTopicPartitions>(
        {AclResource::kTopic, kDescribe}),
    MakeApi<HandleAddRaftVoter>({AclResource::kCluster, kAlter}),
    MakeApi<HandleRemoveRaftVoter>({AclResource::kCluster, kAlter}),
};

}  // namespace

std::span<const Api> HandlerTable() { return kTable; }

}  // namespace tidemark::server
