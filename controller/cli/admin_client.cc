#include "controller/cli/admin_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <thread>
#include <vector>

#include "common/rpc/channel.h"
#include "common/rpc/request_id.h"
#include "controller/cli/command.h"
#include "proto/admin.grpc.pb.h"

namespace tidemark::cli {
namespace {

using Time = std::chrono::system_clock;
using admin::v1::Admin;
using std::chrono::milliseconds;

// A controller that hangs must not cost the whole timeout.
constexpr milliseconds kAttempt{4000};
constexpr milliseconds kRetryPause{50};

// CANCELLED, which is none of this client's doing: the controller stops.
bool WorthAnother(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::CANCELLED ||
         status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
}

// The Kafka code of the trailing metadata, if the controller sent one.
ErrorCode CodeOf(const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  auto found = trailers.find("kafka-error-code");
  int code = static_cast<int>(ErrorCode::kUnknownServerError);
  if (found != trailers.end()) {
    std::from_chars(found->second.data(),
                    found->second.data() + found->second.size(), code);
  }
  return static_cast<ErrorCode>(code);
}

// What gRPC says around it is of no use to anybody.
std::string Reason(const grpc::Status& status) {
  const std::string why = rpc::FailedHandshake(status.error_message());
  return why.empty() ? status.error_message() : "TLS: " + why;
}

}  // namespace

struct AdminClient::Impl {
  std::string controllers;
  milliseconds timeout;
  std::vector<std::unique_ptr<Admin::Stub>> stubs;
  size_t next = 0;
  rpc::SecurityPtr security;  // nullptr: plaintext
  Status usable;

  template <class Response, class Request>
  Result<Response> Call(Request request,
                        grpc::Status (Admin::Stub::*method)(
                            grpc::ClientContext*, const Request&, Response*)) {
    TM_RETURN_IF_ERROR(usable);
    if (stubs.empty()) {
      return Fail(ErrorCode::kInvalidRequest,
                  "name at least one controller: --bootstrap-controllers "
                  "host:port,...");
    }
    // All attempts are one request: it is done once, and answered alike.
    rpc::SetRequestId(&request);
    const auto deadline = Time::now() + timeout;
    // So that one that hangs leaves time for the others.
    const auto most =
        std::min(kAttempt, timeout / static_cast<int>(stubs.size() + 1));
    grpc::Status status;
    for (size_t attempt = 0;; ++attempt) {
      if (attempt > 0 && attempt % stubs.size() == 0) {
        std::this_thread::sleep_for(kRetryPause);
      }
      grpc::ClientContext context;
      context.set_deadline(std::min(deadline, Time::now() + most));
      Response response;
      Admin::Stub& stub = *stubs[next % stubs.size()];
      status = (stub.*method)(&context, request, &response);
      if (status.ok()) return response;
      if (!WorthAnother(status)) {
        return Fail(CodeOf(context), status.error_message());
      }
      ++next;
      if (Time::now() + kRetryPause >= deadline) break;
    }
    return Fail(ErrorCode::kRequestTimedOut,
                "no controller of " + controllers + " answered within " +
                    std::to_string(timeout.count()) +
                    " ms (last: " + Reason(status) +
                    "); check that a majority of the controllers runs and "
                    "that --bootstrap-controllers names them");
  }
};

AdminClient::AdminClient(const Context& context)
    : AdminClient(context.controllers, context.timeout_ms, context.tls) {}

AdminClient::AdminClient(const std::string& controllers, int64_t timeout_ms,
                         const TlsOptions& tls)
    : impl_(new Impl{controllers, milliseconds(timeout_ms)}) {
  if (auto security = SecurityOf(tls)) {
    impl_->security = std::move(*security);
  } else {
    impl_->usable = Fail(security.error());
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  rpc::SetLimitOfAttempt(impl_->security.get(), 50, &arguments);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(-1);
  for (const std::string& address : SplitList(controllers, ',')) {
    impl_->stubs.push_back(Admin::NewStub(grpc::CreateCustomChannel(
        address,
        rpc::CredentialsTo(impl_->security.get(), rpc::HostOf(address),
                           kNoNode),
        arguments)));
  }
}

AdminClient::~AdminClient() = default;

#define TIDEMARK_ADMIN_CALL(name)                                      \
  Result<admin::v1::name##Response> AdminClient::Call(                 \
      const admin::v1::name##Request& request) {                       \
    return impl_->Call<admin::v1::name##Response>(request,             \
                                                  &Admin::Stub::name); \
  }
TIDEMARK_ADMIN_CALL(CreateTopics)
TIDEMARK_ADMIN_CALL(DeleteTopics)
TIDEMARK_ADMIN_CALL(CreatePartitions)
TIDEMARK_ADMIN_CALL(DescribeTopics)
TIDEMARK_ADMIN_CALL(AlterConfigs)
TIDEMARK_ADMIN_CALL(DescribeConfigs)
TIDEMARK_ADMIN_CALL(DescribeCluster)
TIDEMARK_ADMIN_CALL(DescribeQuorum)
TIDEMARK_ADMIN_CALL(ChangeQuorum)
TIDEMARK_ADMIN_CALL(DescribeFeatures)
TIDEMARK_ADMIN_CALL(UpdateFeatures)
TIDEMARK_ADMIN_CALL(AlterScramCredentials)
TIDEMARK_ADMIN_CALL(DescribeScramCredentials)
TIDEMARK_ADMIN_CALL(ElectLeaders)
TIDEMARK_ADMIN_CALL(UnregisterBroker)
TIDEMARK_ADMIN_CALL(CreateAcls)
TIDEMARK_ADMIN_CALL(DeleteAcls)
TIDEMARK_ADMIN_CALL(DescribeAcls)
TIDEMARK_ADMIN_CALL(AlterPartitionReassignments)
TIDEMARK_ADMIN_CALL(ListPartitionReassignments)
TIDEMARK_ADMIN_CALL(ListConfigResources)
#undef TIDEMARK_ADMIN_CALL

}  // namespace tidemark::cli
