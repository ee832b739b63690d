#include "broker/log/offset_index.h"

#include <glog/logging.h>

#include <utility>

#include "common/record/big_endian.h"

namespace tidemark::log {
namespace {

using record::LoadBigEndian;

// Back from an entry that has rotted; then the segment is walked from its
// beginning.
constexpr size_t kMostSteps = 64;

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

OffsetIndex::Entry OffsetIndex::Parse(const std::string& bytes) const {
  return {base_offset_ + RelativeOffset(bytes), Position(bytes)};
}

template <class T>
Result<uint32_t> OffsetIndex::Search(T Entry::*field, T wanted,
                                     const Believe& believe) const {
  if (entries_.count() == 0) return 0u;
  TM_ASSIGN_OR_RETURN(auto reader, entries_.OpenReader());
  size_t low = 0, high = entries_.count();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    TM_ASSIGN_OR_RETURN(const std::string bytes, reader.At(middle));
    if (Parse(bytes).*field <= wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  // One that has rotted may have led the search astray: at worst to where more
  // is walked than need be.
  for (size_t steps = 0; low > 0 && steps < kMostSteps; --low, ++steps) {
    TM_ASSIGN_OR_RETURN(const std::string bytes, reader.At(low - 1));
    const Entry entry = Parse(bytes);
    TM_ASSIGN_OR_RETURN(const bool right, believe(entry));
    if (right && entry.*field <= wanted) return entry.position;
    if (!std::exchange(rotten_, true)) {
      LOG(WARNING) << "index has rotted path=" << entries_.path()
                   << " entry=" << low - 1;
    }
  }
  return 0u;
}

Result<uint32_t> OffsetIndex::Lookup(Offset offset,
                                     const Believe& believe) const {
  return Search(&Entry::last_offset, offset, believe);
}

Result<uint32_t> OffsetIndex::FloorOfPosition(uint32_t position,
                                              const Believe& believe) const {
  return Search(&Entry::position, position, believe);
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
