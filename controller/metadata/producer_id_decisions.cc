#include "controller/metadata/producer_id_decisions.h"

#include <limits>

#include "controller/metadata/failure.h"

namespace tidemark::controller {

Decision<rpc_v1::AllocateProducerIdsResponse> Decide(
    const View& view, const rpc_v1::AllocateProducerIdsRequest& request) {
  Decision<rpc_v1::AllocateProducerIdsResponse> out;
  const metadata::BrokerImage* broker =
      view.image.FindBroker(request.broker_id());
  if (broker == nullptr || broker->epoch != request.broker_epoch()) {
    SetFailure(ErrorCode::kStaleBrokerEpoch,
               "broker epoch is not the registered one: register again",
               out.response.mutable_error());
    return out;
  }
  ProducerId first = view.image.next_producer_id();
  if (first > std::numeric_limits<ProducerId>::max() - kProducerIdBlock) {
    SetFailure(ErrorCode::kUnknownServerError, "no producer ids left",
               out.response.mutable_error());
    return out;
  }
  record_v1::Record record;
  auto* ids = record.mutable_allocate_producer_ids();
  ids->set_broker_id(request.broker_id());
  ids->set_broker_epoch(request.broker_epoch());
  ids->set_next_producer_id(first + kProducerIdBlock);
  out.records.push_back(std::move(record));
  out.response.set_first(first);
  out.response.set_count(kProducerIdBlock);
  return out;
}

}  // namespace tidemark::controller
