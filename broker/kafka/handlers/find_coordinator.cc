#include "common/kafka/messages/find_coordinator.h"

#include "broker/kafka/handlers/transaction_common.h"

namespace tidemark::server {
namespace {

constexpr int8_t kGroupKey = 0;
constexpr int8_t kTransactionKey = 1;
constexpr int16_t kFirstBatched = 4;

coordinator::CoordinatorLocation Locate(const RequestContext& context,
                                        int8_t key_type,
                                        const std::string& key) {
  if (key_type == kGroupKey)
    return context.services->groups->Locate(key, context.listener);
  if (key_type == kTransactionKey) {
    if (auto* transactions = TransactionsOf(context)) {
      return transactions->Locate(key, context.listener);
    }
    return {.error = ErrorCode::kUnsupportedVersion,
            .message = kNoTransactions};
  }
  return {.error = ErrorCode::kInvalidRequest,
          .message = "unknown coordinator key type " +
                     std::to_string(static_cast<int>(key_type))};
}

std::optional<std::string> MessageOf(
    const coordinator::CoordinatorLocation& location) {
  if (location.error == ErrorCode::kNone) return std::nullopt;
  return location.message;
}

}  // namespace

void HandleFindCoordinator(RequestContext context,
                           kafka::FindCoordinatorRequest request,
                           Reply<kafka::FindCoordinatorResponse> reply) {
  kafka::FindCoordinatorResponse response;
  if (context.version < kFirstBatched) {
    const auto location = Locate(context, request.key_type, request.key);
    response.error_code = ErrorField(location.error);
    response.error_message = MessageOf(location);
    response.node_id = location.node;
    response.host = location.host;
    response.port = location.port;
  }
  for (const std::string& key : request.coordinator_keys) {
    const auto location = Locate(context, request.key_type, key);
    response.coordinators.push_back({.key = key,
                                     .node_id = location.node,
                                     .host = location.host,
                                     .port = location.port,
                                     .error_code = ErrorField(location.error),
                                     .error_message = MessageOf(location)});
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
