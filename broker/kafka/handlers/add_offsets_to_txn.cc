#include "common/kafka/messages/add_offsets_to_txn.h"

#include "broker/kafka/handlers/transaction_common.h"

namespace tidemark::server {
namespace {

constexpr int16_t kFirstWithFenced = 2;

}  // namespace

// The partition that the group's offsets are kept in becomes a part of the
// transaction.
void HandleAddOffsetsToTxn(RequestContext context,
                           kafka::AddOffsetsToTxnRequest request,
                           Reply<kafka::AddOffsetsToTxnResponse> reply) {
  auto answer = [reply = std::move(reply),
                 version = context.version](ErrorCode error) {
    kafka::AddOffsetsToTxnResponse response;
    response.error_code = FencedField(error, version, kFirstWithFenced);
    reply(std::move(response));
  };
  coordinator::TransactionCoordinator* transactions = TransactionsOf(context);
  if (transactions == nullptr) return answer(ErrorCode::kInvalidTxnState);
  if (request.group_id.empty()) return answer(ErrorCode::kInvalidGroupId);
  const auto partition =
      context.services->groups->OffsetsPartitionOf(request.group_id);
  if (!partition) return answer(partition.error().code);
  transactions->AddPartitions(
      {.transactional_id = std::move(request.transactional_id),
       .producer_id = request.producer_id,
       .epoch = request.producer_epoch,
       .partitions = {*partition}},
      [answer](const coordinator::AddPartitionsResult& result) {
        answer(result.error != ErrorCode::kNone ? result.error
                                                : result.partitions.at(0));
      });
}

}  // namespace tidemark::server
