#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark::kafka {

// Kafka's numbers for the requests that tidemark knows. A number that is not
// listed is a request that tidemark does not serve.
enum class ApiKey : int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kOffsetCommit = 8,
  kOffsetFetch = 9,
  kFindCoordinator = 10,
  kJoinGroup = 11,
  kHeartbeat = 12,
  kLeaveGroup = 13,
  kSyncGroup = 14,
  kDescribeGroups = 15,
  kListGroups = 16,
  kSaslHandshake = 17,
  kApiVersions = 18,
  kCreateTopics = 19,
  kDeleteTopics = 20,
  kDeleteRecords = 21,
  kInitProducerId = 22,
  kOffsetForLeaderEpoch = 23,
  kAddPartitionsToTxn = 24,
  kAddOffsetsToTxn = 25,
  kEndTxn = 26,
  kWriteTxnMarkers = 27,
  kTxnOffsetCommit = 28,
  kDescribeAcls = 29,
  kCreateAcls = 30,
  kDeleteAcls = 31,
  kDescribeConfigs = 32,
  kAlterConfigs = 33,
  kAlterReplicaLogDirs = 34,
  kDescribeLogDirs = 35,
  kSaslAuthenticate = 36,
  kCreatePartitions = 37,
  kDeleteGroups = 42,
  kElectLeaders = 43,
  kIncrementalAlterConfigs = 44,
  kAlterPartitionReassignments = 45,
  kListPartitionReassignments = 46,
  kOffsetDelete = 47,
  kDescribeClientQuotas = 48,
  kDescribeUserScramCredentials = 50,
  kAlterUserScramCredentials = 51,
  kDescribeQuorum = 55,
  kUpdateFeatures = 57,
  kDescribeCluster = 60,
  kDescribeProducers = 61,
  kUnregisterBroker = 64,
  kDescribeTransactions = 65,
  kListTransactions = 66,
  kGetTelemetrySubscriptions = 71,
  kPushTelemetry = 72,
  kListConfigResources = 74,
  kDescribeTopicPartitions = 75,
  kAddRaftVoter = 80,
  kRemoveRaftVoter = 81,
};

// "Produce"; "Unknown" for other numbers.
std::string_view ApiName(ApiKey key);

// The versions of one API. `first_flexible` is above `max` when no version is
// flexible (KIP-482).
struct ApiVersionRange {
  int16_t min = 0;
  int16_t max = -1;
  int16_t first_flexible = INT16_MAX;

  bool Contains(int16_t version) const {
    return version >= min && version <= max;
  }
};

// The versions that the message structs can read and write; an empty range
// for an unknown key.
ApiVersionRange CodecVersions(ApiKey key);

}  // namespace tidemark::kafka
