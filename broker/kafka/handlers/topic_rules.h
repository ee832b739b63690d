#pragma once

#include <string>

#include "broker/kafka/handler.h"
#include "broker/log/record_validation.h"
#include "common/metadata/image.h"

namespace tidemark::server {

// What topics ask of the records of their batches, by their settings in the
// newest metadata. Made for one request; what it finds is remembered by the
// thread until the metadata changes.
class TopicRules {
 public:
  // `services` outlives it.
  explicit TopicRules(const Services& services);

  // nullptr: there is no such topic. Valid as long as this object.
  const log::RecordRules* Find(const std::string& topic);

 private:
  const Services& services_;
  const metadata::ImagePtr image_;
};

}  // namespace tidemark::server
