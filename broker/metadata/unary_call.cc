#include "broker/metadata/unary_call.h"

#include <charconv>

namespace tidemark {

Error ErrorOf(const grpc::Status& status, const grpc::ClientContext& context) {
  Error error{ErrorCode::kUnknownServerError, status.error_message()};
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    error.code = ErrorCode::kRequestTimedOut;
  }
  const auto& trailer = context.GetServerTrailingMetadata();
  const auto found = trailer.find("kafka-error-code");
  if (found == trailer.end()) return error;
  int16_t code = 0;
  const auto text = found->second;
  const auto [end, failed] =
      std::from_chars(text.data(), text.data() + text.size(), code);
  if (failed == std::errc() && code != 0) error.code = ErrorCode{code};
  return error;
}

bool IsWorthRetrying(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE ||
         code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::CANCELLED ||
         code == grpc::StatusCode::ABORTED;
}

}  // namespace tidemark
