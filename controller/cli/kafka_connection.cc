#include "controller/cli/kafka_connection.h"

#include <poll.h>

#include <algorithm>
#include <asio/ip/tcp.hpp>
#include <chrono>
#include <csignal>
#include <span>
#include <utility>
#include <vector>

#include "common/kafka/messages/find_coordinator.h"
#include "common/rpc/channel.h"
#include "common/tls/session.h"
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

Result<kafka::MetadataResponse> AskForMetadata(
    const std::string& address, int64_t timeout_ms,
    std::shared_ptr<const tls::ClientContext> tls) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return Fail(ErrorCode::kInvalidRequest,
                "'" + address + "' is no broker: write host:port");
  }
  const std::string port = address.substr(colon + 1);
  TM_ASSIGN_OR_RETURN(
      KafkaConnection connection,
      KafkaConnection::Open(rpc::HostOf(address),
                            static_cast<int32_t>(std::atoi(port.c_str())),
                            timeout_ms, std::move(tls)));
  kafka::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  return connection.Call<kafka::MetadataResponse>(request, kMetadataVersion);
}

}  // namespace

// Bytes of one connection, plain or by TLS, until a deadline.
struct KafkaConnection::Impl {
  using Step = tls::Session::Step;
  using Time = std::chrono::steady_clock;

  asio::ip::tcp::iostream stream;
  std::unique_ptr<tls::Session> session;  // nullptr: plain
  std::chrono::milliseconds timeout{};
  Time::time_point deadline;
  std::string name;  // host:port

  void Begin() {
    stream.expires_after(timeout);
    deadline = Time::now() + timeout;
  }
  Error Silent(bool late, const std::string& why) const {
    return {late ? ErrorCode::kRequestTimedOut : ErrorCode::kNetworkException,
            "broker " + name + " does not answer (" + why + ")"};
  }

  // Of TLS: until `step` is done.
  template <class Try>
  Status Until(Try step) {
    while (true) {
      const Step now = step();
      if (now == Step::kDone) return {};
      if (now == Step::kEnd) return Fail(Silent(false, "the end"));
      if (now == Step::kBroken) return Fail(Silent(false, session->reason()));
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - Time::now());
      pollfd wait{.fd = stream.socket().native_handle(),
                  .events = static_cast<short>(
                      now == Step::kWantRead ? POLLIN : POLLOUT),
                  .revents = 0};
      if (left.count() <= 0 ||
          poll(&wait, 1, static_cast<int>(left.count())) == 0) {
        return Fail(Silent(true, "timed out"));
      }
    }
  }

  Status Write(const std::string& bytes) {
    if (session == nullptr) {
      stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      stream.flush();
      return Plain();
    }
    std::span<const char> left(bytes);
    while (!left.empty()) {
      size_t count = 0;
      TM_RETURN_IF_ERROR(Until([&] { return session->Write(left, &count); }));
      left = left.subspan(count);
    }
    return {};
  }

  Status Read(std::span<char> to) {
    if (session == nullptr) {
      stream.read(to.data(), static_cast<std::streamsize>(to.size()));
      return Plain();
    }
    while (!to.empty()) {
      size_t count = 0;
      TM_RETURN_IF_ERROR(Until([&] { return session->Read(to, &count); }));
      to = to.subspan(count);
    }
    return {};
  }

  Status Plain() const {
    if (stream) return {};
    return Fail(Silent(stream.error() == asio::error::operation_aborted ||
                           stream.error() == asio::error::timed_out,
                       stream.error().message()));
  }
};

KafkaConnection::KafkaConnection(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
KafkaConnection::~KafkaConnection() = default;
KafkaConnection::KafkaConnection(KafkaConnection&&) noexcept = default;

Result<KafkaConnection> KafkaConnection::Open(
    const std::string& host, int32_t port, int64_t timeout_ms,
    std::shared_ptr<const tls::ClientContext> tls) {
  auto impl = std::make_unique<Impl>();
  impl->timeout = std::chrono::milliseconds(timeout_ms);
  impl->name = host + ":" + std::to_string(port);
  impl->Begin();
  impl->stream.connect(host, std::to_string(port));
  if (!impl->stream) {
    return Fail(ErrorCode::kNetworkException,
                "no broker answers at " + impl->name + " (" +
                    impl->stream.error().message() +
                    "); is --bootstrap-servers right?");
  }
  if (tls == nullptr) return KafkaConnection(std::move(impl));
  // OpenSSL writes without asking that there be none.
  std::signal(SIGPIPE, SIG_IGN);
  auto& socket = impl->stream.socket();
  socket.native_non_blocking(true);
  TM_ASSIGN_OR_RETURN(
      impl->session,
      tls::Session::Connect(std::move(tls), socket.native_handle(), host));
  TM_RETURN_IF_ERROR(impl->Until([&] { return impl->session->Handshake(); }));
  return KafkaConnection(std::move(impl));
}

Result<SharedBytes> KafkaConnection::Exchange(const std::string& frame) {
  impl_->Begin();
  TM_RETURN_IF_ERROR(impl_->Write(frame));
  char length[4];
  TM_RETURN_IF_ERROR(impl_->Read(length));
  const uint32_t size = ToLength(length);
  if (size > kLargestAnswer) {
    return Fail(ErrorCode::kNetworkException,
                impl_->name + " speaks something else than Kafka's protocol");
  }
  std::string answer(size, '\0');
  TM_RETURN_IF_ERROR(impl_->Read(answer));
  return SharedBytes(std::move(answer));
}

Result<KafkaBrokers> KafkaBrokers::Find(const Context& context) {
  TM_ASSIGN_OR_RETURN(const auto tls, TlsOf(context.tls));
  KafkaBrokers brokers;
  brokers.timeout_ms_ = context.timeout_ms;
  if (tls) {
    TM_ASSIGN_OR_RETURN(brokers.tls_, tls::ClientContext::Make(tls->settings));
  }
  Error last{ErrorCode::kInvalidRequest, "--bootstrap-servers names none"};
  for (const std::string& address : SplitList(context.bootstrap_servers, ',')) {
    auto metadata = AskForMetadata(address, context.timeout_ms, brokers.tls_);
    if (metadata) {
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
    TM_ASSIGN_OR_RETURN(
        KafkaConnection connection,
        KafkaConnection::Open(one.host, one.port, timeout_ms_, tls_));
    return &connections_.emplace(broker, std::move(connection)).first->second;
  }
  return Fail(ErrorCode::kBrokerNotAvailable,
              "broker " + std::to_string(broker) + " is not alive");
}

}  // namespace tidemark::cli
