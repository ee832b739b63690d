#include "broker/log/time_index.h"

#include <glog/logging.h>

#include <utility>

#include "common/record/big_endian.h"

namespace tidemark::log {
namespace {

// As in offset_index.cc.
constexpr size_t kMostTimeSteps = 64;

}  // namespace

TimeIndex::Entry TimeIndex::Parse(const std::string& entry) const {
  return {record::LoadBigEndian<int64_t>(entry.data()),
          base_offset_ + record::LoadBigEndian<int32_t>(entry.data() + 8)};
}

Status TimeIndex::Load() {
  TM_RETURN_IF_ERROR(entries_.Load());
  const Entry last = Last();
  if (last.offset < base_offset_) {
    return Fail(ErrorCode::kCorruptMessage,
                "the time index does not fit its segment");
  }
  return {};
}

Status TimeIndex::MaybeAppend(int64_t timestamp_ms, Offset offset) {
  if (timestamp_ms < 0) return {};
  const Entry last = Last();
  if (timestamp_ms <= last.timestamp_ms) return {};
  std::string entry;
  record::AppendBigEndian(timestamp_ms, &entry);
  record::AppendBigEndian(static_cast<int32_t>(offset - base_offset_), &entry);
  return entries_.Append(entry);
}

Result<TimeIndex::Entry> TimeIndex::Lookup(int64_t timestamp_ms,
                                           const Believe& believe) const {
  const Entry none{-1, base_offset_};
  if (entries_.count() == 0) return none;
  TM_ASSIGN_OR_RETURN(auto reader, entries_.OpenReader());
  size_t low = 0, high = entries_.count();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    TM_ASSIGN_OR_RETURN(const std::string bytes, reader.At(middle));
    if (Parse(bytes).timestamp_ms <= timestamp_ms) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (size_t steps = 0; low > 0 && steps < kMostTimeSteps; --low, ++steps) {
    TM_ASSIGN_OR_RETURN(const std::string bytes, reader.At(low - 1));
    const Entry entry = Parse(bytes);
    TM_ASSIGN_OR_RETURN(const bool right, believe(entry));
    if (right && entry.timestamp_ms <= timestamp_ms) return entry;
    if (!std::exchange(rotten_, true)) {
      LOG(WARNING) << "index has rotted path=" << entries_.path()
                   << " entry=" << low - 1;
    }
  }
  return none;
}

TimeIndex::Entry TimeIndex::Last() const {
  if (entries_.count() == 0) return Entry{-1, base_offset_};
  return Parse(entries_.last());
}

Status TimeIndex::TruncateTo(Offset offset) {
  size_t keep = entries_.count();
  TM_ASSIGN_OR_RETURN(auto reader, entries_.OpenReader());
  while (keep > 0) {
    TM_ASSIGN_OR_RETURN(std::string bytes, reader.At(keep - 1));
    if (Parse(bytes).offset < offset) break;
    --keep;
  }
  return entries_.Truncate(keep);
}

}  // namespace tidemark::log
