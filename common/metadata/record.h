#pragma once

#include <functional>
#include <string>

#include "common/base/result.h"
#include "common/base/uuid.h"
#include "proto/metadata.pb.h"

namespace tidemark::metadata {

// Takes the records of a snapshot, in order.
using RecordSink = std::function<void(v1::Record record)>;

// A record that does not fit the image it is applied to.
inline tl::unexpected<Error> Bad(const std::string& what) {
  return Fail(ErrorCode::kInvalidRecord, "metadata record: " + what);
}

// The 16 bytes of an id that is not zero.
inline Result<Uuid> ParseId(const std::string& raw, const char* what) {
  auto id = Uuid::FromBytes(raw);
  if (!id || id->IsZero()) return Bad(std::string("bad ") + what);
  return *id;
}

}  // namespace tidemark::metadata
