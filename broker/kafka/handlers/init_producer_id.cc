#include "common/kafka/messages/init_producer_id.h"

#include <glog/logging.h>

#include "broker/kafka/handlers/transaction_common.h"
#include "broker/kafka/producer_id_allocator.h"
#include "common/kafka/printer.h"

namespace tidemark::server {
namespace {

constexpr int16_t kFirstWithFenced = 4;

using Answer = std::function<void(ErrorCode, ProducerId, ProducerEpoch)>;

// With a new producer id if the coordinator wants one.
void Init(const RequestContext& context,
          coordinator::InitProducerRequest request, Answer answer) {
  context.services->transactions->InitProducer(
      request, [context, request, answer = std::move(answer)](
                   const coordinator::InitProducerResult& result) mutable {
        if (!result.wants_producer_id) {
          return answer(result.error, result.producer_id, result.epoch);
        }
        context.services->producer_ids->Next(
            [context, request = std::move(request),
             answer = std::move(answer)](Result<ProducerId> id) mutable {
              if (!id) return answer(id.error().code, -1, -1);
              request.spare_producer_id = *id;
              Init(context, std::move(request), std::move(answer));
            });
      });
}

}  // namespace

// Idempotent producers: always a new id with epoch 0, also for one that asks
// to go on with an old one (KIP-360). Transactional ones are their
// coordinator's.
void HandleInitProducerId(RequestContext context,
                          kafka::InitProducerIdRequest request,
                          Reply<kafka::InitProducerIdResponse> reply) {
  Answer answer = [reply, version = context.version](
                      ErrorCode code, ProducerId id, ProducerEpoch epoch) {
    kafka::InitProducerIdResponse response;
    response.error_code = FencedField(code, version, kFirstWithFenced);
    response.producer_id = id;
    response.producer_epoch = epoch;
    reply(std::move(response));
  };
  if ((request.producer_id == -1) != (request.producer_epoch == -1)) {
    return answer(ErrorCode::kInvalidRequest, -1, -1);
  }
  if (!request.transactional_id) {
    context.services->producer_ids->Next([answer](Result<ProducerId> id) {
      if (!id) return answer(id.error().code, -1, -1);
      answer(ErrorCode::kNone, *id, 0);
    });
    return;
  }
  if (TransactionsOf(context) == nullptr) {
    // Every client takes this as fatal at once; the log says why.
    LOG_EVERY_T(WARNING, 1)
        << "refusing a transactional producer: " << kNoTransactions
        << " client=" << context.client_host
        << " client_id=" << kafka::Quoted(context.client_id)
        << " transactional_id=" << kafka::Quoted(*request.transactional_id);
    return answer(ErrorCode::kInvalidRequest, -1, -1);
  }
  Init(context,
       {.transactional_id = *request.transactional_id,
        .timeout_ms = request.transaction_timeout_ms,
        .producer_id = request.producer_id,
        .epoch = request.producer_epoch},
       std::move(answer));
}

}  // namespace tidemark::server
