#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/batch_header.h"

// What compaction leaves of one batch (kafka MemoryRecords.filterTo, KIP-534).
// Offsets, sequences, epochs and the codec stay; so does the range of offsets
// of a batch that loses its last record. Pure.
namespace tidemark::log {

// A record as far as compaction looks at it.
struct KeyedRecord {
  Offset offset = 0;
  std::optional<std::string_view> key;
  bool has_value = false;  // without: a tombstone
};

struct FilteredBatch {
  enum class Fate : uint8_t {
    kAsItWas,
    kGone,
    kRewritten,
  };
  Fate fate = Fate::kAsItWas;
  std::string bytes;  // kRewritten
  int32_t kept = 0;   // records
  int32_t dropped = 0;
};

struct FilterTimes {
  int64_t now_ms = 0;
  int64_t delete_retention_ms = 0;
  bool keeps_deletes = false;  // whatever their time

  bool HavePassed(std::optional<int64_t> horizon) const {
    return horizon && *horizon <= now_ms && !keeps_deletes;
  }
};

// Every record of `batch`, which is exactly one batch with that header.
// Errors as record::RecordReader's.
Status ForEachKey(std::string_view batch, const record::BatchHeader& header,
                  const std::function<Status(const KeyedRecord&)>& each);

// A batch of records. `keep` is asked about each. What is a tombstone and stays
// has a time from which on it may go: that of the batch, `settled` says whether
// it may get one now.
// `must_stay`: without a record, rather than not at all.
Result<FilteredBatch> FilterRecords(
    std::string_view batch, const record::BatchHeader& header,
    const std::function<bool(const KeyedRecord&, bool horizon_passed)>& keep,
    bool settled, bool must_stay, const FilterTimes& times);

// A batch of which all records go: those of an aborted transaction.
FilteredBatch DropRecords(const record::BatchHeader& header, bool must_stay);

// A control batch that tells of nothing any more.
FilteredBatch FilterMarker(std::string_view batch,
                           const record::BatchHeader& header, bool must_stay,
                           const FilterTimes& times);

// KIP-534: from when on what only says that something is gone may go, too.
inline std::optional<int64_t> DeleteHorizon(const record::BatchHeader& header) {
  if ((header.attributes & record::kDeleteHorizonBit) == 0) return std::nullopt;
  return header.base_timestamp;
}

}  // namespace tidemark::log
