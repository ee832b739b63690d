#include "common/rpc/status_map.h"

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <charconv>

namespace tidemark::rpc {
namespace {

grpc::StatusCode CodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNone:
      return grpc::StatusCode::OK;
    case ErrorCode::kNotController:
    case ErrorCode::kBrokerNotAvailable:
    case ErrorCode::kNetworkException:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::kRequestTimedOut:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ErrorCode::kTopicAlreadyExists:
    case ErrorCode::kDuplicateBrokerRegistration:
    case ErrorCode::kDuplicateResource:
      return grpc::StatusCode::ALREADY_EXISTS;
    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kUnknownTopicId:
    case ErrorCode::kBrokerIdNotRegistered:
    case ErrorCode::kResourceNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case ErrorCode::kInvalidTopicException:
    case ErrorCode::kInvalidPartitions:
    case ErrorCode::kInvalidReplicationFactor:
    case ErrorCode::kInvalidReplicaAssignment:
    case ErrorCode::kInvalidConfig:
    case ErrorCode::kInvalidRequest:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorCode::kUnsupportedVersion:
      return grpc::StatusCode::UNIMPLEMENTED;
    case ErrorCode::kClusterAuthorizationFailed:
    case ErrorCode::kTopicAuthorizationFailed:
      return grpc::StatusCode::PERMISSION_DENIED;
    case ErrorCode::kUnknownServerError:
      return grpc::StatusCode::INTERNAL;
    default:
      return grpc::StatusCode::FAILED_PRECONDITION;
  }
}

ErrorCode CodeOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
      return ErrorCode::kNotController;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return ErrorCode::kRequestTimedOut;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::FAILED_PRECONDITION:
      return ErrorCode::kInvalidRequest;
    case grpc::StatusCode::NOT_FOUND:
      return ErrorCode::kResourceNotFound;
    case grpc::StatusCode::ALREADY_EXISTS:
      return ErrorCode::kDuplicateResource;
    case grpc::StatusCode::UNIMPLEMENTED:
      return ErrorCode::kUnsupportedVersion;
    case grpc::StatusCode::PERMISSION_DENIED:
      return ErrorCode::kClusterAuthorizationFailed;
    default:
      return ErrorCode::kUnknownServerError;
  }
}

}  // namespace

grpc::Status ToGrpc(const Error& error) {
  return grpc::Status(CodeOf(error.code),
                      error.message.empty() ? std::string(ErrorName(error.code))
                                            : error.message);
}

grpc::Status ToGrpc(const Error& error, grpc::ServerContextBase* context) {
  context->AddTrailingMetadata(kErrorCodeKey,
                               std::to_string(static_cast<int>(error.code)));
  return ToGrpc(error);
}

Error FromGrpc(const grpc::Status& status, const grpc::ClientContext* context) {
  Error error{CodeOf(status.error_code()), status.error_message()};
  if (context == nullptr) return error;
  const auto& trailers = context->GetServerTrailingMetadata();
  auto found = trailers.find(kErrorCodeKey);
  if (found == trailers.end()) return error;
  int16_t code = 0;
  const char* begin = found->second.data();
  const char* end = begin + found->second.size();
  auto [stop, failure] = std::from_chars(begin, end, code);
  if (failure == std::errc() && stop == end && code != 0) {
    error.code = static_cast<ErrorCode>(code);
  }
  return error;
}

std::string FormatActiveHint(const ActiveHint& hint) {
  return "active=" + std::to_string(hint.id) + "@" + hint.host + ":" +
         std::to_string(hint.port);
}

std::optional<ActiveHint> ParseActiveHint(std::string_view message) {
  constexpr std::string_view kPrefix = "active=";
  size_t at = message.find(kPrefix);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view text = message.substr(at + kPrefix.size());
  text = text.substr(0, text.find_first_of(" ,;"));
  size_t split = text.find('@');
  size_t colon = text.rfind(':');
  if (split == std::string_view::npos || colon == std::string_view::npos ||
      colon <= split + 1) {
    return std::nullopt;
  }
  ActiveHint hint;
  hint.host = std::string(text.substr(split + 1, colon - split - 1));
  auto parse = [](std::string_view number, auto* out) {
    const char* end = number.data() + number.size();
    auto [stop, error] = std::from_chars(number.data(), end, *out);
    return error == std::errc() && stop == end;
  };
  if (!parse(text.substr(0, split), &hint.id) ||
      !parse(text.substr(colon + 1), &hint.port) || hint.id < 0 ||
      hint.port == 0) {
    return std::nullopt;
  }
  return hint;
}

}  // namespace tidemark::rpc
