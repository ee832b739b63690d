#include "common/kafka/messages/list_transactions.h"

#include <re2/re2.h>

#include <array>
#include <optional>

#include "broker/kafka/handlers/transaction_common.h"
#include "common/base/pattern.h"

namespace tidemark::server {
namespace {

using coordinator::TransactionState;

constexpr std::array kStates = {
    TransactionState::kEmpty,          TransactionState::kOngoing,
    TransactionState::kPrepareCommit,  TransactionState::kPrepareAbort,
    TransactionState::kCompleteCommit, TransactionState::kCompleteAbort};
// Kafka's, that a list never shows.
constexpr std::array kHidden = {"Dead", "PrepareEpochFence"};

std::optional<TransactionState> StateNamed(std::string_view name) {
  for (const TransactionState state : kStates) {
    if (StateName(state) == name) return state;
  }
  return std::nullopt;
}

}  // namespace

void HandleListTransactions(RequestContext context,
                            kafka::ListTransactionsRequest request,
                            Reply<kafka::ListTransactionsResponse> reply) {
  kafka::ListTransactionsResponse response;
  coordinator::ListTransactionsQuery query;
  query.older_than_ms = request.duration_filter;
  query.now_ms = context.executor->WallMs();
  query.producer_ids.insert(request.producer_id_filters.begin(),
                            request.producer_id_filters.end());
  if (const auto& pattern = request.transactional_id_pattern;
      pattern && !pattern->empty()) {
    // The whole id has to match (KIP-1152).
    const auto compiled = CompilePattern(*pattern);
    if (compiled == nullptr) {
      response.error_code = ErrorField(ErrorCode::kInvalidRegularExpression);
      return reply(std::move(response));
    }
    query.matches = [compiled](const std::string& id) {
      return re2::RE2::FullMatch(id, *compiled);
    };
  }
  bool known = request.state_filters.empty();
  for (std::string& name : request.state_filters) {
    if (const auto state = StateNamed(name)) {
      query.states.insert(*state);
      known = true;
    } else if (std::find(kHidden.begin(), kHidden.end(), name) ==
               kHidden.end()) {
      response.unknown_state_filters.push_back(std::move(name));
    }
  }
  coordinator::TransactionCoordinator* transactions = TransactionsOf(context);
  // Of states that there are not, there is nothing.
  if (transactions == nullptr || !known) return reply(std::move(response));
  transactions->List(std::move(query),
                     [response = std::move(response), reply = std::move(reply)](
                         coordinator::ListTransactionsResult result) mutable {
                       response.error_code = ErrorField(result.error);
                       for (auto& row : result.rows) {
                         response.transaction_states.push_back(
                             {std::move(row.transactional_id), row.producer_id,
                              std::string(StateName(row.state))});
                       }
                       reply(std::move(response));
                     });
}

}  // namespace tidemark::server
