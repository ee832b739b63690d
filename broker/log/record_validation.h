#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "common/base/error_code.h"
#include "common/record/batch_header.h"
#include "common/record/compression.h"

namespace tidemark::log {

// What a topic asks of the records of its batches.
struct RecordRules {
  // tidemark.record.validation: whether records are read at all. Without, only
  // the batch's header counts.
  bool read_records = true;
  bool compacted = false;        // cleanup.policy contains compact
  bool log_append_time = false;  // message.timestamp.type
  // How far CreateTime may be behind and ahead of the broker's clock.
  int64_t timestamp_before_max_ms = INT64_MAX;
  int64_t timestamp_after_max_ms = INT64_MAX;
  // compression.type; nullopt: as the producer sends them.
  std::optional<record::Codec> stored_codec;
};

// Why a batch is refused. `records` names some of those at fault, by their
// index in the batch (KIP-467).
struct RecordRefusal {
  struct Record {
    int32_t index = 0;
    std::string message;
  };
  ErrorCode error = ErrorCode::kInvalidRecord;
  std::string message;
  std::vector<Record> records;
};

// Reads a producer's batch as a consumer will and as Kafka's leader does
// (kafka LogValidator): what passes, every consumer can read. Pure; memory for
// a few pieces of the batch, whatever it claims to unpack to.
//
// The bytes to append instead of `batch`, or "" for those: another codec, or a
// maximum timestamp that was not that of the records.
//
// kCorruptMessage: the checksum is wrong. kInvalidRecord: cannot be unpacked
// (Kafka says UNKNOWN_SERVER_ERROR; neither is tried again by producers),
// unpacks to too much, is not what the header says, a null header key, a
// record without key on a compacted topic. kInvalidTimestamp: a CreateTime out
// of bounds.
//
// `batch` is exactly one batch with this header, whose rules are checked
// elsewhere (ValidateAppend). It takes what it unpacks to from `unpack_left`
// and is refused where that is not enough; nullptr: only its own bound holds.
tl::expected<std::string, RecordRefusal> ValidateRecords(
    std::string_view batch, const record::BatchHeader& header,
    const RecordRules& rules, int64_t now_ms, size_t* unpack_left = nullptr);

// What all batches of a request of so many bytes may unpack to. However many
// small ones it has, the time it takes is bounded by what was sent.
inline size_t UnpackAllowance(size_t bytes) {
  constexpr size_t kMostTimes = 128;
  return record::kMaxDecompressedSize + kMostTimes * bytes;
}

}  // namespace tidemark::log
