#include "controller/cli/kafka_connection.h"

#include <algorithm>
#include <asio/ip/tcp.hpp>
#include <chrono>
#include <vector>

#include "common/kafka/messages/find_coordinator.h"
#include "controller/cli/command.h"

namespace tidemark::cli {
namespace {

// Far more than any answer here.
constexpr uint32_t kLargestAnswer = 256u << 20;
constexpr int16_t kMetadataVersion = 12;

uint32_t ToLength(const char* bytes) {
  uint32_t length = 0;
  for (int i = 0; i < 4; ++i) {
    length = length << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return length;
}

Result<kafka::MetadataResponse> AskForMetadata(const std::string& address,
                                               int64_t timeout_ms) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return Fail(ErrorCode::kInvalidRequest,
                "'" + address + "' is no broker: write host:port");
  }
  const std::string port = address.substr(colon + 1);
  TM_ASSIGN_OR_RETURN(
      KafkaConnection connection,
      KafkaConnection::Open(address.substr(0, colon),
                            static_cast<int32_t>(std::atoi(port.c_str())),
                            timeout_ms));
  kafka::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  return connection.Call<kafka::MetadataResponse>(request, kMetadataVersion);
}

}  // namespace

struct KafkaConnection::Impl {
  asio::ip::tcp::iostream stream;
  std::chrono::milliseconds timeout{};
  std::string name;  // host:port
};

KafkaConnection::KafkaConnection(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
KafkaConnection::~KafkaConnection() = default;
KafkaConnection::KafkaConnection(KafkaConnection&&) noexcept = default;

Result<KafkaConnection> KafkaConnection::Open(const std::string& host,
                                              int32_t port,
                                              int64_t timeout_ms) {
  auto impl = std::make_unique<Impl>();
  impl->timeout = std::chrono::milliseconds(timeout_ms);
  impl->name = host + ":" + std::to_string(port);
  impl->stream.expires_after(impl->timeout);
  impl->stream.connect(host, std::to_string(port));
  if (!impl->stream) {
    return Fail(ErrorCode::kNetworkException,
                "no broker answers at " + impl->name + " (" +
                    impl->stream.error().message() +
                    "); is --bootstrap-servers right?");
  }
  return KafkaConnection(std::move(impl));
}

Result<SharedBytes> KafkaConnection::Exchange(const std::string& frame) {
  auto& stream = impl_->stream;
  stream.expires_after(impl_->timeout);
  stream.write(frame.data(), static_cast<std::streamsize>(frame.size()));
  stream.flush();
  char length[4];
  stream.read(length, sizeof length);
  const uint32_t size = stream ? ToLength(length) : 0;
  if (stream && size > kLargestAnswer) {
    return Fail(ErrorCode::kNetworkException,
                impl_->name + " speaks something else than Kafka's protocol");
  }
  std::string answer(size, '\0');
  if (stream) stream.read(answer.data(), static_cast<std::streamsize>(size));
  if (!stream) {
    const bool late = stream.error() == asio::error::operation_aborted ||
                      stream.error() == asio::error::timed_out;
    return Fail(
        late ? ErrorCode::kRequestTimedOut : ErrorCode::kNetworkException,
        "broker " + impl_->name + " does not answer (" +
            stream.error().message() + ")");
  }
  return SharedBytes(std::move(answer));
}

Result<KafkaBrokers> KafkaBrokers::Find(const std::string& bootstrap_servers,
                                        int64_t timeout_ms) {
  Error last{ErrorCode::kInvalidRequest, "--bootstrap-servers names none"};
  for (const std::string& address : SplitList(bootstrap_servers, ',')) {
    auto metadata = AskForMetadata(address, timeout_ms);
    if (metadata) {
      KafkaBrokers brokers;
      brokers.timeout_ms_ = timeout_ms;
      brokers.metadata_ = std::move(*metadata);
      return brokers;
    }
    last = metadata.error();
  }
  return Fail(last);
}

Result<NodeId> KafkaBrokers::LeaderOf(const TopicPartition& partition) const {
  for (const auto& topic : metadata_.topics) {
    if (topic.name != partition.topic) continue;
    for (const auto& one : topic.partitions) {
      if (one.partition_index != partition.partition) continue;
      if (one.leader_id >= 0) return NodeId{one.leader_id};
      return Fail(ErrorCode::kLeaderNotAvailable,
                  ToString(partition) + " has no leader");
    }
  }
  return Fail(ErrorCode::kUnknownTopicOrPartition,
              "there is no " + ToString(partition));
}

Result<NodeId> KafkaBrokers::CoordinatorOfTransaction(
    const std::string& transactional_id) {
  constexpr int8_t kTransaction = 1;
  constexpr int16_t kVersion = 4;
  if (metadata_.brokers.empty()) {
    return Fail(ErrorCode::kBrokerNotAvailable, "the cluster has no brokers");
  }
  kafka::FindCoordinatorRequest request;
  request.key_type = kTransaction;
  request.coordinator_keys = {transactional_id};
  TM_ASSIGN_OR_RETURN(const auto found,
                      Call<kafka::FindCoordinatorResponse>(
                          metadata_.brokers[0].node_id, request, kVersion));
  for (const auto& one : found.coordinators) {
    TM_RETURN_IF_ERROR(CodeToStatus(one.error_code, transactional_id,
                                    one.error_message.value_or("")));
    return NodeId{one.node_id};
  }
  return Fail(ErrorCode::kCoordinatorNotAvailable, transactional_id);
}

Result<KafkaConnection*> KafkaBrokers::To(NodeId broker) {
  if (const auto it = connections_.find(broker); it != connections_.end()) {
    return &it->second;
  }
  for (const auto& one : metadata_.brokers) {
    if (one.node_id != broker) continue;
    TM_ASSIGN_OR_RETURN(KafkaConnection connection,
                        KafkaConnection::Open(one.host, one.port, timeout_ms_));
    return &connections_.emplace(broker, std::move(connection)).first->second;
  }
  return Fail(ErrorCode::kBrokerNotAvailable,
              "broker " + std::to_string(broker) + " is not alive");
}

}  // namespace tidemark::cli
