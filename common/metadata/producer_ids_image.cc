#include "common/metadata/producer_ids_image.h"

namespace tidemark::metadata {

Status ProducerIdsImage::Apply(const v1::AllocateProducerIds& record) {
  if (record.next_producer_id() <= next_) return Bad("producer ids go back");
  next_ = record.next_producer_id();
  return {};
}

void ProducerIdsImage::ToRecords(const RecordSink& sink) const {
  if (next_ == 0) return;
  v1::Record record;
  v1::AllocateProducerIds* ids = record.mutable_allocate_producer_ids();
  ids->set_broker_id(kNoNode);
  ids->set_broker_epoch(-1);
  ids->set_next_producer_id(next_);
  sink(std::move(record));
}

}  // namespace tidemark::metadata
