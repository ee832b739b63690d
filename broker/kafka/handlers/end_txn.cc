#include "common/kafka/messages/end_txn.h"

#include "broker/kafka/handlers/transaction_common.h"
#include "broker/kafka/producer_id_allocator.h"

namespace tidemark::server {
namespace {

constexpr int16_t kFirstWithFenced = 2;

using Answer = std::function<void(const coordinator::EndTransactionResult&)>;

// With a new producer id if the coordinator wants one.
void End(const RequestContext& context,
         coordinator::EndTransactionRequest request, Answer answer) {
  context.services->transactions->End(
      request, [context, request, answer = std::move(answer)](
                   const coordinator::EndTransactionResult& result) mutable {
        if (!result.wants_producer_id) return answer(result);
        context.services->producer_ids->Next(
            [context, request = std::move(request),
             answer = std::move(answer)](Result<ProducerId> id) mutable {
              if (!id) return answer({.error = id.error().code});
              request.spare_producer_id = *id;
              End(context, std::move(request), std::move(answer));
            });
      });
}

}  // namespace

void HandleEndTxn(RequestContext context, kafka::EndTxnRequest request,
                  Reply<kafka::EndTxnResponse> reply) {
  Answer answer = [reply = std::move(reply), version = context.version](
                      const coordinator::EndTransactionResult& result) {
    kafka::EndTxnResponse response;
    response.error_code = FencedField(result.error, version, kFirstWithFenced);
    if (result.error == ErrorCode::kNone) {
      response.producer_id = result.producer_id;
      response.producer_epoch = result.epoch;
    }
    reply(std::move(response));
  };
  if (TransactionsOf(context) == nullptr) {
    return answer({.error = ErrorCode::kInvalidTxnState});
  }
  const int16_t client_version = context.version >= kFirstWithEpochs
                                     ? coordinator::kEpochPerTransaction
                                     : int16_t{0};
  End(context,
      {.transactional_id = std::move(request.transactional_id),
       .producer_id = request.producer_id,
       .epoch = request.producer_epoch,
       .commit = request.committed,
       .client_version = client_version},
      std::move(answer));
}

}  // namespace tidemark::server
