#include "common/kafka/messages/describe_transactions.h"

#include "broker/kafka/handlers/transaction_common.h"

namespace tidemark::server {
namespace {

using State = kafka::DescribeTransactionsResponse::TransactionState;

State ToKafka(std::string id,
              const coordinator::TransactionDescription& described) {
  State out;
  out.transactional_id = std::move(id);
  out.error_code = ErrorField(described.error);
  if (described.error != ErrorCode::kNone) return out;
  const coordinator::StoredTransaction& from = described.transaction;
  out.transaction_state = std::string(StateName(from.state));
  out.transaction_timeout_ms = from.timeout_ms;
  out.transaction_start_time_ms = from.start_ms;
  out.producer_id = from.producer_id;
  out.producer_epoch = from.epoch;
  for (const TopicPartition& partition : from.partitions) {
    if (out.topics.empty() || out.topics.back().topic != partition.topic) {
      out.topics.push_back({.topic = partition.topic});
    }
    out.topics.back().partitions.push_back(partition.partition);
  }
  return out;
}

}  // namespace

void HandleDescribeTransactions(
    RequestContext context, kafka::DescribeTransactionsRequest request,
    Reply<kafka::DescribeTransactionsResponse> reply) {
  using Result = coordinator::TransactionDescription;
  if (request.transactional_ids.size() > kMaxGroupsInARequest) return;
  const std::vector<std::string> ids =
      Distinct(std::move(request.transactional_ids));
  Gather<Result>::Run(
      ids.size(),
      [ids, reply = std::move(reply)](const std::vector<Result>& results) {
        kafka::DescribeTransactionsResponse response;
        for (size_t i = 0; i < ids.size(); ++i) {
          response.transaction_states.push_back(ToKafka(ids[i], results[i]));
        }
        reply(std::move(response));
      },
      [context, ids](size_t index, std::function<void(Result)> done) {
        coordinator::TransactionCoordinator* transactions =
            TransactionsOf(context);
        if (ids[index].empty()) {
          return done({.error = ErrorCode::kInvalidRequest, .transaction = {}});
        }
        if (transactions == nullptr) {
          return done({.error = ErrorCode::kTransactionalIdNotFound,
                       .transaction = {}});
        }
        transactions->Describe(ids[index], std::move(done));
      });
}

}  // namespace tidemark::server
