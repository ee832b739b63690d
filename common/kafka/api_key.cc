#include "common/kafka/api_key.h"

namespace tidemark::kafka {
namespace {

struct Api {
  ApiKey key;
  std::string_view name;
  ApiVersionRange versions;
};

constexpr Api kApis[] = {
    {ApiKey::kProduce, "Produce", {3, 12, 9}},
    {ApiKey::kFetch, "Fetch", {4, 17, 12}},
    {ApiKey::kListOffsets, "ListOffsets", {1, 10, 6}},
    {ApiKey::kMetadata, "Metadata", {0, 12, 9}},
    {ApiKey::kOffsetCommit, "OffsetCommit", {1, 9, 8}},
    {ApiKey::kOffsetFetch, "OffsetFetch", {1, 9, 6}},
    {ApiKey::kFindCoordinator, "FindCoordinator", {0, 5, 3}},
    {ApiKey::kJoinGroup, "JoinGroup", {0, 9, 6}},
    {ApiKey::kHeartbeat, "Heartbeat", {0, 4, 4}},
    {ApiKey::kLeaveGroup, "LeaveGroup", {0, 5, 4}},
    {ApiKey::kSyncGroup, "SyncGroup", {0, 5, 4}},
    {ApiKey::kDescribeGroups, "DescribeGroups", {0, 6, 5}},
    {ApiKey::kListGroups, "ListGroups", {0, 5, 3}},
    {ApiKey::kSaslHandshake, "SaslHandshake", {0, 1}},
    {ApiKey::kApiVersions, "ApiVersions", {0, 4, 3}},
    {ApiKey::kCreateTopics, "CreateTopics", {2, 7, 5}},
    {ApiKey::kDeleteTopics, "DeleteTopics", {1, 6, 4}},
    {ApiKey::kDeleteRecords, "DeleteRecords", {0, 2, 2}},
    {ApiKey::kInitProducerId, "InitProducerId", {0, 5, 2}},
    {ApiKey::kOffsetForLeaderEpoch, "OffsetForLeaderEpoch", {2, 4, 4}},
    {ApiKey::kAddPartitionsToTxn, "AddPartitionsToTxn", {0, 5, 3}},
    {ApiKey::kAddOffsetsToTxn, "AddOffsetsToTxn", {0, 4, 3}},
    {ApiKey::kEndTxn, "EndTxn", {0, 5, 3}},
    {ApiKey::kWriteTxnMarkers, "WriteTxnMarkers", {1, 2, 1}},
    {ApiKey::kTxnOffsetCommit, "TxnOffsetCommit", {0, 5, 3}},
    {ApiKey::kDescribeAcls, "DescribeAcls", {1, 3, 2}},
    {ApiKey::kCreateAcls, "CreateAcls", {1, 3, 2}},
    {ApiKey::kDeleteAcls, "DeleteAcls", {1, 3, 2}},
    {ApiKey::kDescribeConfigs, "DescribeConfigs", {1, 4, 4}},
    {ApiKey::kAlterConfigs, "AlterConfigs", {0, 2, 2}},
    {ApiKey::kAlterReplicaLogDirs, "AlterReplicaLogDirs", {1, 2, 2}},
    {ApiKey::kDescribeLogDirs, "DescribeLogDirs", {1, 4, 2}},
    {ApiKey::kSaslAuthenticate, "SaslAuthenticate", {0, 2, 2}},
    {ApiKey::kCreatePartitions, "CreatePartitions", {0, 3, 2}},
    {ApiKey::kDeleteGroups, "DeleteGroups", {0, 2, 2}},
    {ApiKey::kElectLeaders, "ElectLeaders", {0, 2, 2}},
    {ApiKey::kIncrementalAlterConfigs, "IncrementalAlterConfigs", {0, 1, 1}},
    {ApiKey::kAlterPartitionReassignments,
     "AlterPartitionReassignments",
     {0, 1, 0}},
    {ApiKey::kListPartitionReassignments,
     "ListPartitionReassignments",
     {0, 0, 0}},
    {ApiKey::kOffsetDelete, "OffsetDelete", {0, 0}},
    {ApiKey::kDescribeClientQuotas, "DescribeClientQuotas", {0, 1, 1}},
    {ApiKey::kDescribeUserScramCredentials,
     "DescribeUserScramCredentials",
     {0, 0, 0}},
    {ApiKey::kAlterUserScramCredentials,
     "AlterUserScramCredentials",
     {0, 0, 0}},
    {ApiKey::kDescribeQuorum, "DescribeQuorum", {0, 2, 0}},
    {ApiKey::kUpdateFeatures, "UpdateFeatures", {0, 2, 0}},
    {ApiKey::kDescribeCluster, "DescribeCluster", {0, 2, 0}},
    {ApiKey::kDescribeProducers, "DescribeProducers", {0, 0, 0}},
    {ApiKey::kUnregisterBroker, "UnregisterBroker", {0, 0, 0}},
    {ApiKey::kDescribeTransactions, "DescribeTransactions", {0, 0, 0}},
    {ApiKey::kListTransactions, "ListTransactions", {0, 2, 0}},
    {ApiKey::kGetTelemetrySubscriptions,
     "GetTelemetrySubscriptions",
     {0, 0, 0}},
    {ApiKey::kPushTelemetry, "PushTelemetry", {0, 0, 0}},
    {ApiKey::kListConfigResources, "ListConfigResources", {0, 1, 0}},
    {ApiKey::kDescribeTopicPartitions, "DescribeTopicPartitions", {0, 0, 0}},
    {ApiKey::kAddRaftVoter, "AddRaftVoter", {0, 0, 0}},
    {ApiKey::kRemoveRaftVoter, "RemoveRaftVoter", {0, 0, 0}},
};

const Api* Find(ApiKey key) {
  for (const Api& api : kApis) {
    if (api.key == key) return &api;
  }
  return nullptr;
}

}  // namespace

std::string_view ApiName(ApiKey key) {
  const Api* api = Find(key);
  return api == nullptr ? "Unknown" : api->name;
}

ApiVersionRange CodecVersions(ApiKey key) {
  const Api* api = Find(key);
  return api == nullptr ? ApiVersionRange{} : api->versions;
}

}  // namespace tidemark::kafka
