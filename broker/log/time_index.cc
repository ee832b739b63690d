#include "broker/log/time_index.h"

#include "common/record/big_endian.h"

namespace tidemark::log {

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

Result<TimeIndex::Entry> TimeIndex::Lookup(int64_t timestamp_ms) const {
  Entry best{-1, base_offset_};
  if (entries_.count() == 0) return best;
  TM_ASSIGN_OR_RETURN(auto reader, entries_.OpenReader());
  size_t low = 0, high = entries_.count();
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    TM_ASSIGN_OR_RETURN(std::string bytes, reader.At(middle));
    Entry entry = Parse(bytes);
    if (entry.timestamp_ms <= timestamp_ms) {
      best = entry;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return best;
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
