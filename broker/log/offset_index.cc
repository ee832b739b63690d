#include "broker/log/offset_index.h"

#include "common/record/big_endian.h"

namespace tidemark::log {
namespace {

using record::LoadBigEndian;

int32_t RelativeOffset(const std::string& entry) {
  return LoadBigEndian<int32_t>(entry.data());
}

uint32_t Position(const std::string& entry) {
  return static_cast<uint32_t>(LoadBigEndian<int32_t>(entry.data() + 4));
}

}  // namespace

Status OffsetIndex::Load(uint64_t segment_size) {
  TM_RETURN_IF_ERROR(entries_.Load());
  if (entries_.count() == 0) return {};
  TM_ASSIGN_OR_RETURN(std::string last, entries_.At(entries_.count() - 1));
  if (RelativeOffset(last) < 0 || Position(last) >= segment_size) {
    return Fail(ErrorCode::kCorruptMessage,
                "the offset index does not fit its segment");
  }
  return {};
}

Status OffsetIndex::Append(Offset last_offset, uint32_t position) {
  std::string entry;
  record::AppendBigEndian(static_cast<int32_t>(last_offset - base_offset_),
                          &entry);
  record::AppendBigEndian(static_cast<int32_t>(position), &entry);
  return entries_.Append(entry);
}

Result<uint32_t> OffsetIndex::Search(size_t field, int64_t wanted) const {
  if (entries_.count() == 0) return 0u;
  TM_ASSIGN_OR_RETURN(auto reader, entries_.OpenReader());
  uint32_t best = 0;
  size_t low = 0, high = entries_.count();
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    TM_ASSIGN_OR_RETURN(std::string entry, reader.At(middle));
    if (LoadBigEndian<int32_t>(entry.data() + field) <= wanted) {
      best = Position(entry);
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return best;
}

Result<uint32_t> OffsetIndex::Lookup(Offset offset) const {
  return Search(0, offset - base_offset_);
}

Result<uint32_t> OffsetIndex::FloorOfPosition(uint32_t position) const {
  TM_ASSIGN_OR_RETURN(const uint32_t floor, Search(4, position));
  // An entry between others that has rotted; Load looks at the last one only.
  return floor <= position ? floor : 0;
}

uint32_t OffsetIndex::LastPosition() const {
  return entries_.count() == 0 ? 0 : Position(entries_.last());
}

Status OffsetIndex::TruncateToPosition(uint64_t position) {
  size_t keep = entries_.count();
  TM_ASSIGN_OR_RETURN(auto reader, entries_.OpenReader());
  while (keep > 0) {
    TM_ASSIGN_OR_RETURN(std::string entry, reader.At(keep - 1));
    if (Position(entry) < position) break;
    --keep;
  }
  return entries_.Truncate(keep);
}

}  // namespace tidemark::log
