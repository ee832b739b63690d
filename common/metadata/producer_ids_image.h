#pragma once

#include "common/base/ids.h"
#include "common/metadata/record.h"

namespace tidemark::metadata {

// Which producer ids have been given out.
class ProducerIdsImage {
 public:
  // All below are taken.
  ProducerId next() const { return next_; }

  Status Apply(const v1::AllocateProducerIds& record);
  void ToRecords(const RecordSink& sink) const;
  // Nobody is told what differs.
  bool operator==(const ProducerIdsImage&) const = default;

 private:
  ProducerId next_ = 0;
};

}  // namespace tidemark::metadata
