#include "broker/log/segment.h"

#include <glog/logging.h>

#include <array>
#include <cstdio>

#include "broker/log/checkpoint.h"

namespace tidemark::log {
namespace {

constexpr size_t kTailWindow = 16 * 1024;

}  // namespace

std::string SegmentFileName(Offset offset, std::string_view suffix) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%020lld",
                static_cast<long long>(offset));
  return digits + std::string(suffix);
}

std::optional<Offset> ParseSegmentFileName(std::string_view name,
                                           std::string_view suffix) {
  if (name.size() != 20 + suffix.size() || !name.ends_with(suffix)) {
    return std::nullopt;
  }
  auto offset = ParseNumber(name.substr(0, 20));
  return offset && *offset >= 0 && *offset <= kMaxOffset ? offset
                                                         : std::nullopt;
}

Segment::Segment(io::FileSystem& fs, const std::string& dir, Offset base_offset,
                 std::string_view suffix)
    : fs_(&fs),
      path_(dir + "/" + SegmentFileName(base_offset, "")),
      suffix_(suffix),
      base_offset_(base_offset),
      index_(fs, path_ + ".index" + suffix_, base_offset),
      time_index_(fs, path_ + ".timeindex" + suffix_, base_offset),
      transactions_(fs, path_ + ".txnindex" + suffix_, base_offset),
      max_timestamp_{-1, base_offset} {}

Result<std::shared_ptr<io::File>> Segment::LogFile() const {
  if (!file_) file_ = lent_.lock();
  if (!file_) {
    TM_ASSIGN_OR_RETURN(auto file, fs_->Open(log_path(), absent_));
    // Files of that name may be left from a crash during a truncation.
    if (absent_) TM_RETURN_IF_ERROR(file->Truncate(0));
    absent_ = false;
    file_ = std::move(file);
    lent_ = file_;
  }
  return file_;
}

Status Segment::Load() {
  TM_ASSIGN_OR_RETURN(auto file, fs_->Open(log_path(), false));
  TM_ASSIGN_OR_RETURN(size_, file->Size());
  TM_RETURN_IF_ERROR(index_.Load(size_));
  TM_RETURN_IF_ERROR(transactions_.Load());
  return time_index_.Load();
}

Status Segment::Create() {
  absent_ = true;
  size_ = 0;
  TM_RETURN_IF_ERROR(ResetIndexes());
  TM_RETURN_IF_ERROR(LogFile());
  return {};
}

Status Segment::CreateInNew() {
  TM_ASSIGN_OR_RETURN(file_, fs_->Open(log_path(), true));
  lent_ = file_;
  max_timestamp_ = {-1, base_offset_};
  return {};
}

void Segment::NoteTimestamp(const record::BatchHeader& header) {
  if (first_timestamp_ms_ < 0) first_timestamp_ms_ = header.max_timestamp;
  // Nobody finds a record there.
  if (header.record_count == 0) return;
  if (header.max_timestamp > max_timestamp_.timestamp_ms) {
    max_timestamp_ = {header.max_timestamp, header.LastOffset()};
  }
}

Status Segment::Adopt(const record::BatchHeader& header, uint64_t position,
                      int32_t index_interval_bytes) {
  NoteTimestamp(header);
  if (bytes_since_entry_ > static_cast<uint64_t>(index_interval_bytes)) {
    TM_RETURN_IF_ERROR(
        index_.Append(header.LastOffset(), static_cast<uint32_t>(position)));
    TM_RETURN_IF_ERROR(time_index_.MaybeAppend(max_timestamp_.timestamp_ms,
                                               max_timestamp_.offset));
    bytes_since_entry_ = 0;
  }
  bytes_since_entry_ += header.FullSize();
  return {};
}

Status Segment::Append(std::span<const record::BatchHeader> headers,
                       std::string_view first_bytes, std::string_view rest,
                       int32_t index_interval_bytes) {
  TM_RETURN_IF_ERROR(LogFile());
  const std::array<std::string_view, 2> pieces = {first_bytes, rest};
  if (Status written = file_->WriteAtV(size_, pieces); !written) {
    // A disk that is full gets the half of it back.
    if (io::IsShortage(written.error())) (void)file_->Truncate(size_);
    return written;
  }
  for (const auto& header : headers) {
    TM_RETURN_IF_ERROR(Adopt(header, size_, index_interval_bytes));
    size_ += header.FullSize();
  }
  return {};
}

Result<BatchCursor> Segment::Walk(uint64_t from, BatchCursor::Want want,
                                  size_t window) const {
  TM_RETURN_IF_ERROR(LogFile());
  return BatchCursor(*file_, from, size_, want, window);
}

Result<size_t> Segment::ReadAt(uint64_t at, char* to, size_t count) const {
  TM_RETURN_IF_ERROR(LogFile());
  return file_->ReadAt(at, to, count);
}

// What is needed of it: nothing that ends behind entry.last_offset lies in
// front of it. Kafka's own entries name the last batch of an append, and the
// position of the first.
Result<bool> Segment::IsBatchOf(const OffsetIndex::Entry& entry) const {
  if (entry.position >= size_) return false;
  TM_ASSIGN_OR_RETURN(auto cursor,
                      Walk(entry.position, BatchCursor::Want::kHeaders,
                           record::kBatchHeaderSize));
  const auto item = cursor.Next();
  if (!item) {
    if (item.error().code == ErrorCode::kKafkaStorageError ||
        io::IsPassing(item.error())) {
      return Fail(item.error());
    }
    return false;
  }
  return *item && (*item)->header.base_offset >= base_offset_ &&
         (*item)->header.LastOffset() <= entry.last_offset;
}

// Entries name a batch and its largest timestamp.
Result<bool> Segment::IsReachedAt(const TimeIndex::Entry& entry) const {
  if (entry.offset < base_offset_) return false;
  TM_ASSIGN_OR_RETURN(const uint32_t floor, Floor(entry.offset));
  TM_ASSIGN_OR_RETURN(auto cursor,
                      Walk(floor, BatchCursor::Want::kHeaders, kTailWindow));
  while (true) {
    TM_ASSIGN_OR_RETURN(const auto item, cursor.Next());
    if (!item) return false;
    const record::BatchHeader& header = item->header;
    if (header.LastOffset() < entry.offset) continue;
    return header.base_offset <= entry.offset &&
           header.max_timestamp == entry.timestamp_ms;
  }
}

Result<uint32_t> Segment::Floor(Offset offset) const {
  return index_.Lookup(offset,
                       [this](const auto& entry) { return IsBatchOf(entry); });
}

Result<uint32_t> Segment::FloorOfPosition(uint32_t position) const {
  return index_.FloorOfPosition(
      position, [this](const auto& entry) { return IsBatchOf(entry); });
}

Result<Offset> Segment::FloorOfTimestamp(int64_t timestamp_ms) const {
  TM_ASSIGN_OR_RETURN(
      const auto entry,
      time_index_.Lookup(timestamp_ms, [this](const auto& candidate) {
        return IsReachedAt(candidate);
      }));
  return entry.offset;
}

Result<Offset> Segment::ScanTail() {
  max_timestamp_ = time_index_.Last();
  const uint32_t from = index_.LastPosition();
  Offset end = base_offset_;
  if (from > 0) {
    TM_ASSIGN_OR_RETURN(auto first,
                        Walk(0, BatchCursor::Want::kHeaders, kTailWindow));
    TM_ASSIGN_OR_RETURN(auto item, first.Next());
    if (item) first_timestamp_ms_ = item->header.max_timestamp;
  }
  TM_ASSIGN_OR_RETURN(auto cursor,
                      Walk(from, BatchCursor::Want::kHeaders, kTailWindow));
  while (true) {
    TM_ASSIGN_OR_RETURN(auto item, cursor.Next());
    if (!item) break;
    if (item->header.base_offset < end) {
      return Fail(ErrorCode::kCorruptMessage, "offsets go back");
    }
    NoteTimestamp(item->header);
    end = item->header.NextOffset();
  }
  bytes_since_entry_ = size_ - from;
  return end;
}

Status Segment::TruncateTo(uint64_t position, Offset end_offset) {
  TM_RETURN_IF_ERROR(LogFile());
  // The indexes first: they may tell less than the file holds, if this ends
  // between them.
  TM_RETURN_IF_ERROR(index_.TruncateToPosition(position));
  TM_RETURN_IF_ERROR(time_index_.TruncateTo(end_offset));
  if (Status cut = transactions_.TruncateTo(end_offset); !cut) {
    if (cut.error().code != ErrorCode::kCorruptMessage) return cut;
    // Whoever reads it finds the rest of it wrong, too.
    LOG(WARNING) << "index has rotted reason=" << cut.error().message;
  }
  TM_RETURN_IF_ERROR(file_->Truncate(position));
  size_ = position;
  first_timestamp_ms_ = -1;
  TM_RETURN_IF_ERROR(ScanTail());
  return file_->Sync();
}

Status Segment::ResetIndexes() {
  TM_RETURN_IF_ERROR(index_.file().Remove());
  TM_RETURN_IF_ERROR(time_index_.file().Remove());
  TM_RETURN_IF_ERROR(transactions_.file().Remove());
  bytes_since_entry_ = 0;
  max_timestamp_ = {-1, base_offset_};
  first_timestamp_ms_ = -1;
  return {};
}

TimeIndex::Entry Segment::MaxTimestamp() const {
  const TimeIndex::Entry indexed = time_index_.Last();
  return indexed.timestamp_ms > max_timestamp_.timestamp_ms ? indexed
                                                            : max_timestamp_;
}

int64_t Segment::NewestTimestamp() const {
  const int64_t newest = MaxTimestamp().timestamp_ms;
  if (newest >= 0) return newest;
  return FindFirstTimestamp().value_or(-1);
}

Result<int64_t> Segment::FindFirstTimestamp() const {
  if (first_timestamp_ms_ >= 0) return first_timestamp_ms_;
  TM_ASSIGN_OR_RETURN(auto cursor, Walk(0, BatchCursor::Want::kHeaders,
                                        record::kBatchHeaderSize));
  TM_ASSIGN_OR_RETURN(const auto first, cursor.Next());
  return first ? first->header.max_timestamp : -1;
}

Status Segment::BeginMove() {
  TM_RETURN_IF_ERROR(LogFile());
  index_.file().SetOther(path_ + ".index");
  time_index_.file().SetOther(path_ + ".timeindex");
  transactions_.file().SetOther(path_ + ".txnindex");
  return {};
}

void Segment::EndMove() {
  suffix_.clear();
  index_.file().TakeOther();
  time_index_.file().TakeOther();
  transactions_.file().TakeOther();
}

Result<std::vector<std::shared_ptr<io::File>>> Segment::Seal() {
  TM_RETURN_IF_ERROR(time_index_.MaybeAppend(max_timestamp_.timestamp_ms,
                                             max_timestamp_.offset));
  std::vector<std::shared_ptr<io::File>> files;
  TM_ASSIGN_OR_RETURN(files.emplace_back(), index_.file().FlushAndOpen());
  TM_ASSIGN_OR_RETURN(files.emplace_back(), time_index_.file().FlushAndOpen());
  if (transactions_.count() > 0) {
    TM_ASSIGN_OR_RETURN(files.emplace_back(),
                        transactions_.file().FlushAndOpen());
  }
  return files;
}

Status Segment::Remove() {
  file_ = nullptr;
  TM_RETURN_IF_ERROR(index_.file().Remove());
  TM_RETURN_IF_ERROR(time_index_.file().Remove());
  TM_RETURN_IF_ERROR(transactions_.file().Remove());
  if (!fs_->Exists(log_path())) return {};
  return fs_->Remove(log_path());
}

}  // namespace tidemark::log
