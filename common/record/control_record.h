#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

// Records of control batches (attribute bit kControlBit). The key is a version
// and a type, the value of a transaction marker a version and the epoch of the
// coordinator that wrote it; big-endian (kafka ControlRecordType,
// EndTransactionMarker; KIP-98).
namespace tidemark::record {

enum class ControlRecordType : int16_t { kAbort = 0, kCommit = 1 };

struct TransactionMarker {
  ControlRecordType type = ControlRecordType::kAbort;
  int32_t coordinator_epoch = 0;

  bool operator==(const TransactionMarker&) const = default;
};

std::string EncodeControlKey(ControlRecordType type);
std::string EncodeMarkerValue(int32_t coordinator_epoch);

// kInvalidRecord: cut off, or of a type that is no transaction marker. Later
// versions than 0 may append fields.
Result<TransactionMarker> ParseTransactionMarker(std::string_view key,
                                                 std::string_view value);

}  // namespace tidemark::record
