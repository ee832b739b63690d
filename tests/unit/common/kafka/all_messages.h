#pragma once

#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "common/kafka/codec.h"
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
#include "common/kafka/messages/group_records.h"
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
#include "common/kafka/messages/transaction_records.h"
#include "common/kafka/messages/txn_offset_commit.h"
#include "common/kafka/messages/unregister_broker.h"
#include "common/kafka/messages/update_features.h"
#include "common/kafka/messages/write_txn_markers.h"

namespace tidemark::kafka {

// Calls f.operator()<Request, Response>(name) for every API; the name is that
// of its files.
template <class F>
void ForEachApi(F f) {
  f.template operator()<SaslHandshakeRequest, SaslHandshakeResponse>(
      "sasl_handshake");
  f.template operator()<SaslAuthenticateRequest, SaslAuthenticateResponse>(
      "sasl_authenticate");
  f.template operator()<DescribeClientQuotasRequest,
                        DescribeClientQuotasResponse>("describe_client_quotas");
  f.template operator()<DescribeUserScramCredentialsRequest,
                        DescribeUserScramCredentialsResponse>(
      "describe_user_scram_credentials");
  f.template operator()<AlterUserScramCredentialsRequest,
                        AlterUserScramCredentialsResponse>(
      "alter_user_scram_credentials");
  f.template operator()<DescribeProducersRequest, DescribeProducersResponse>(
      "describe_producers");
  f.template operator()<GetTelemetrySubscriptionsRequest,
                        GetTelemetrySubscriptionsResponse>(
      "get_telemetry_subscriptions");
  f.template operator()<PushTelemetryRequest, PushTelemetryResponse>(
      "push_telemetry");
  f.template operator()<AddRaftVoterRequest, AddRaftVoterResponse>(
      "add_raft_voter");
  f.template operator()<DescribeQuorumRequest, DescribeQuorumResponse>(
      "describe_quorum");
  f.template operator()<RemoveRaftVoterRequest, RemoveRaftVoterResponse>(
      "remove_raft_voter");
  f.template operator()<AddPartitionsToTxnRequest, AddPartitionsToTxnResponse>(
      "add_partitions_to_txn");
  f.template operator()<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse>(
      "add_offsets_to_txn");
  f.template operator()<EndTxnRequest, EndTxnResponse>("end_txn");
  f.template operator()<WriteTxnMarkersRequest, WriteTxnMarkersResponse>(
      "write_txn_markers");
  f.template operator()<DescribeTransactionsRequest,
                        DescribeTransactionsResponse>("describe_transactions");
  f.template operator()<ListTransactionsRequest, ListTransactionsResponse>(
      "list_transactions");
  f.template operator()<ApiVersionsRequest, ApiVersionsResponse>(
      "api_versions");
  f.template operator()<CreatePartitionsRequest, CreatePartitionsResponse>(
      "create_partitions");
  f.template operator()<CreateTopicsRequest, CreateTopicsResponse>(
      "create_topics");
  f.template operator()<DeleteGroupsRequest, DeleteGroupsResponse>(
      "delete_groups");
  f.template operator()<DeleteTopicsRequest, DeleteTopicsResponse>(
      "delete_topics");
  f.template operator()<DescribeClusterRequest, DescribeClusterResponse>(
      "describe_cluster");
  f.template operator()<DescribeConfigsRequest, DescribeConfigsResponse>(
      "describe_configs");
  f.template operator()<DescribeGroupsRequest, DescribeGroupsResponse>(
      "describe_groups");
  f.template
  operator()<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>(
      "describe_topic_partitions");
  f.template operator()<FetchRequest, FetchResponse>("fetch");
  f.template operator()<FindCoordinatorRequest, FindCoordinatorResponse>(
      "find_coordinator");
  f.template operator()<HeartbeatRequest, HeartbeatResponse>("heartbeat");
  f.template
  operator()<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(
      "incremental_alter_configs");
  f.template operator()<InitProducerIdRequest, InitProducerIdResponse>(
      "init_producer_id");
  f.template operator()<JoinGroupRequest, JoinGroupResponse>("join_group");
  f.template operator()<LeaveGroupRequest, LeaveGroupResponse>("leave_group");
  f.template operator()<ListGroupsRequest, ListGroupsResponse>("list_groups");
  f.template operator()<ListOffsetsRequest, ListOffsetsResponse>(
      "list_offsets");
  f.template operator()<MetadataRequest, MetadataResponse>("metadata");
  f.template operator()<OffsetCommitRequest, OffsetCommitResponse>(
      "offset_commit");
  f.template operator()<OffsetFetchRequest, OffsetFetchResponse>(
      "offset_fetch");
  f.template
  operator()<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(
      "offset_for_leader_epoch");
  f.template operator()<ProduceRequest, ProduceResponse>("produce");
  f.template operator()<SyncGroupRequest, SyncGroupResponse>("sync_group");
  f.template operator()<TxnOffsetCommitRequest, TxnOffsetCommitResponse>(
      "txn_offset_commit");
  f.template operator()<AlterConfigsRequest, AlterConfigsResponse>(
      "alter_configs");
  f.template operator()<AlterPartitionReassignmentsRequest,
                        AlterPartitionReassignmentsResponse>(
      "alter_partition_reassignments");
  f.template operator()<AlterReplicaLogDirsRequest,
                        AlterReplicaLogDirsResponse>("alter_replica_log_dirs");
  f.template operator()<DeleteRecordsRequest, DeleteRecordsResponse>(
      "delete_records");
  f.template operator()<DescribeLogDirsRequest, DescribeLogDirsResponse>(
      "describe_log_dirs");
  f.template operator()<ElectLeadersRequest, ElectLeadersResponse>(
      "elect_leaders");
  f.template operator()<ListConfigResourcesRequest,
                        ListConfigResourcesResponse>("list_config_resources");
  f.template operator()<ListPartitionReassignmentsRequest,
                        ListPartitionReassignmentsResponse>(
      "list_partition_reassignments");
  f.template operator()<OffsetDeleteRequest, OffsetDeleteResponse>(
      "offset_delete");
  f.template operator()<UnregisterBrokerRequest, UnregisterBrokerResponse>(
      "unregister_broker");
  f.template operator()<CreateAclsRequest, CreateAclsResponse>("create_acls");
  f.template operator()<DeleteAclsRequest, DeleteAclsResponse>("delete_acls");
  f.template operator()<DescribeAclsRequest, DescribeAclsResponse>(
      "describe_acls");
  f.template operator()<UpdateFeaturesRequest, UpdateFeaturesResponse>(
      "update_features");
}

// Every message, those of internal topics too.
template <class F>
void ForEachMessage(F f) {
  ForEachApi([&]<class Request, class Response>(const std::string& name) {
    f.template operator()<Request>(name + " request");
    f.template operator()<Response>(name + " response");
  });
  f.template operator()<OffsetCommitKey>("OffsetCommitKey");
  f.template operator()<OffsetCommitValue>("OffsetCommitValue");
  f.template operator()<GroupMetadataKey>("GroupMetadataKey");
  f.template operator()<GroupMetadataValue>("GroupMetadataValue");
  f.template operator()<TransactionLogKey>("TransactionLogKey");
  f.template operator()<TransactionLogValue>("TransactionLogValue");
}

template <class T>
std::string EncodeBody(const T& message, int16_t version) {
  Encoder out(version, version >= T::kFirstFlexible);
  MessageCodec<T>::Encode(message, out);
  return std::move(out).FinishBytes();
}

inline std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// A frame that Apache Kafka sent or understood; see
// tests/data/kafka/capture.py.
struct GoldenFrame {
  std::string name;  // "fetch response v12 #3"
  ApiKey key;
  bool is_request;
  int16_t version;
  SharedBytes frame;
  // Decodes a body and encodes it again.
  std::function<Result<std::string>(const SharedBytes&, int16_t)> recode;
};

template <class T>
Result<std::string> Recode(const SharedBytes& body, int16_t version) {
  // Requests too: nothing of a golden frame may be left over.
  auto message = DecodeResponse<T>(body, version);
  if (!message) return Fail(message.error());
  return EncodeBody(*message, version);
}

inline std::vector<GoldenFrame> LoadGoldenFrames() {
  std::vector<GoldenFrame> frames;
  ForEachApi([&]<class Request, class Response>(const std::string& api) {
    std::ifstream file(std::string(TIDEMARK_TEST_DATA "/kafka/") + api +
                       ".txt");
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
      std::istringstream words(line);
      std::string kind, hex;
      int version = 0;
      words >> kind >> version >> hex;
      const bool is_request = kind == "request";
      frames.push_back({api + " " + kind + " v" + std::to_string(version) +
                            " #" + std::to_string(number),
                        Request::kKey, is_request,
                        static_cast<int16_t>(version),
                        SharedBytes(FromHex(hex)),
                        is_request ? Recode<Request> : Recode<Response>});
    }
  });
  return frames;
}

// What is behind the header.
inline SharedBytes BodyOf(const GoldenFrame& golden) {
  if (golden.is_request) return DecodeRequestHeader(golden.frame).value().body;
  return DecodeResponseHeader(golden.frame, golden.key, golden.version)
      .value()
      .body;
}

}  // namespace tidemark::kafka
