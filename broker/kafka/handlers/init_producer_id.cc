#include "common/kafka/messages/init_producer_id.h"

#include <glog/logging.h>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/producer_id_allocator.h"
#include "common/kafka/printer.h"

namespace tidemark::server {

// Idempotent producers: always a new id with epoch 0, also for one that asks
// to go on with an old one (KIP-360). Transactions are refused with
// INVALID_REQUEST, which every client takes as fatal at once; the log says
// why.
void HandleInitProducerId(RequestContext context,
                          kafka::InitProducerIdRequest request,
                          Reply<kafka::InitProducerIdResponse> reply) {
  auto answer = [reply](ErrorCode code, ProducerId id, ProducerEpoch epoch) {
    kafka::InitProducerIdResponse response;
    response.error_code = Code(code);
    response.producer_id = id;
    response.producer_epoch = epoch;
    reply(std::move(response));
  };
  if (request.transactional_id) {
    LOG_EVERY_T(WARNING, 1)
        << "transactions are not supported: refusing a transactional producer"
        << " client=" << context.client_host
        << " client_id=" << kafka::Quoted(context.client_id)
        << " transactional_id=" << kafka::Quoted(*request.transactional_id);
    return answer(ErrorCode::kInvalidRequest, -1, -1);
  }
  if ((request.producer_id == -1) != (request.producer_epoch == -1)) {
    return answer(ErrorCode::kInvalidRequest, -1, -1);
  }
  context.services->producer_ids->Next([answer](Result<ProducerId> id) {
    if (!id) return answer(id.error().code, -1, -1);
    answer(ErrorCode::kNone, *id, 0);
  });
}

}  // namespace tidemark::server
