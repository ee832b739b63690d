#include "broker/log/transaction_index.h"

#include <algorithm>

#include "common/record/big_endian.h"

namespace tidemark::log {
namespace {

constexpr int16_t kIndexVersion = 0;
// Entries that are read at a time.
constexpr size_t kChunk = 480;

}  // namespace

Result<AbortedTransaction> TransactionIndex::Parse(
    std::string_view entry) const {
  const char* at = entry.data();
  const AbortedTransaction aborted{record::LoadBigEndian<int64_t>(at + 2),
                                   record::LoadBigEndian<int64_t>(at + 10),
                                   record::LoadBigEndian<int64_t>(at + 18),
                                   record::LoadBigEndian<int64_t>(at + 26)};
  if (record::LoadBigEndian<int16_t>(at) == kIndexVersion &&
      aborted.first_offset >= 0 && aborted.first_offset < aborted.last_offset &&
      aborted.last_offset >= base_offset_ &&
      aborted.last_offset - base_offset_ <= INT32_MAX &&
      aborted.last_stable_offset >= 0 &&
      aborted.last_stable_offset <= aborted.last_offset + 1) {
    return aborted;
  }
  return Fail(ErrorCode::kCorruptMessage,
              entries_.path() + ": this is no aborted transaction");
}

Status TransactionIndex::Load() {
  TM_RETURN_IF_ERROR(entries_.Load());
  if (entries_.count() > 0) TM_RETURN_IF_ERROR(Parse(entries_.last()));
  return {};
}

Status TransactionIndex::Append(const AbortedTransaction& aborted) {
  std::string entry;
  entry.reserve(kEntrySize);
  record::AppendBigEndian(kIndexVersion, &entry);
  record::AppendBigEndian(aborted.producer_id, &entry);
  record::AppendBigEndian(aborted.first_offset, &entry);
  record::AppendBigEndian(aborted.last_offset, &entry);
  record::AppendBigEndian(aborted.last_stable_offset, &entry);
  return entries_.Append(entry);
}

Result<size_t> TransactionIndex::CountBelow(const EntryFile::Reader& reader,
                                            Offset offset) const {
  size_t low = 0, high = entries_.count();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    TM_ASSIGN_OR_RETURN(const std::string bytes, reader.At(middle));
    TM_ASSIGN_OR_RETURN(const auto aborted, Parse(bytes));
    if (aborted.last_offset < offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Result<bool> TransactionIndex::Collect(
    Offset from, Offset below, std::vector<AbortedTransaction>* found) const {
  if (entries_.count() == 0) return false;
  TM_ASSIGN_OR_RETURN(auto reader, entries_.OpenReader());
  TM_ASSIGN_OR_RETURN(size_t at, CountBelow(reader, from));
  Offset before = from - 1;
  while (at < entries_.count()) {
    const size_t count = std::min(kChunk, entries_.count() - at);
    TM_ASSIGN_OR_RETURN(const std::string bytes, reader.Read(at, count));
    for (size_t i = 0; i < count; ++i) {
      TM_ASSIGN_OR_RETURN(
          const auto aborted,
          Parse(std::string_view(bytes).substr(i * kEntrySize, kEntrySize)));
      if (aborted.last_offset <= before) {
        return Fail(ErrorCode::kCorruptMessage,
                    entries_.path() + ": markers do not ascend");
      }
      before = aborted.last_offset;
      if (aborted.first_offset < below) found->push_back(aborted);
      if (aborted.last_stable_offset >= below) return true;
    }
    at += count;
  }
  return false;
}

Status TransactionIndex::TruncateTo(Offset end) {
  if (entries_.count() == 0) return {};
  TM_ASSIGN_OR_RETURN(auto reader, entries_.OpenReader());
  TM_ASSIGN_OR_RETURN(const size_t keep, CountBelow(reader, end));
  return entries_.Truncate(keep);
}

}  // namespace tidemark::log
