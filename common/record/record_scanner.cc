#include "common/record/record_scanner.h"

#include <algorithm>
#include <string>

namespace tidemark::record {
namespace {

int64_t ZigZag(uint64_t raw) {
  return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
}

}  // namespace

Result<RecordScanner> RecordScanner::Open(std::string_view batch,
                                          const BatchHeader& header,
                                          size_t limit) {
  RecordScanner scanner;
  TM_ASSIGN_OR_RETURN(
      scanner.source_,
      Decompressor::Open(header.codec(), batch.substr(kBatchHeaderSize),
                         limit));
  scanner.count_ = header.record_count;
  scanner.limit_ = limit;
  return scanner;
}

Result<std::optional<ScannedRecord>> RecordScanner::Next() {
  if (seen_ == count_) {
    if (!window_.empty() || Refill()) return Broken("bytes after the last one");
    if (error_) return Fail(*error_);
    return std::nullopt;
  }
  // The length itself is outside of what it counts.
  left_ = INT64_MAX;
  int32_t length = 0;
  if (!Int32(&length) || length < 0) return Broken("length beyond the batch");
  left_ = length;
  ScannedRecord record;
  if (!Body(&record) || left_ != 0) {
    return Broken("fields do not fit its length");
  }
  if (record.index != seen_) return Broken("offset out of order");
  ++seen_;
  return record;
}

bool RecordScanner::Body(ScannedRecord* record) {
  uint8_t attributes = 0;  // unused
  bool has_value = false;
  return Byte(&attributes) && Varint(UINT64_MAX, &record->timestamp_delta) &&
         Int32(&record->index) && Nullable(&record->has_key) &&
         Nullable(&has_value) && Headers();
}

bool RecordScanner::Headers() {
  int32_t count = 0;
  // A header takes at least two bytes.
  if (!Int32(&count) || count < 0 || count > left_ / 2) return false;
  for (int32_t i = 0; i < count; ++i) {
    bool has_key = false, has_value = false;
    if (!Nullable(&has_key) || !has_key || !Nullable(&has_value)) return false;
  }
  return true;
}

// A varint length, then that many bytes; -1 is null.
bool RecordScanner::Nullable(bool* present) {
  int32_t length = 0;
  if (!Int32(&length) || length < -1) return false;
  *present = length >= 0;
  return length <= 0 || Skip(length);
}

bool RecordScanner::Int32(int32_t* out) {
  int64_t wide = 0;
  if (!Varint(UINT32_MAX, &wide)) return false;
  *out = static_cast<int32_t>(wide);
  return true;
}

bool RecordScanner::Varint(uint64_t max, int64_t* out) {
  uint64_t raw = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte = 0;
    if (!Byte(&byte)) return false;
    if (shift == 63 && byte > 1) return false;
    raw |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out = ZigZag(raw);
      return raw <= max;
    }
  }
  return false;
}

bool RecordScanner::Byte(uint8_t* out) {
  if (left_ == 0 || (window_.empty() && !Refill())) return false;
  *out = static_cast<uint8_t>(window_.front());
  window_.remove_prefix(1);
  --left_;
  return true;
}

bool RecordScanner::Skip(int64_t count) {
  if (count > left_) return false;
  left_ -= count;
  while (count > 0) {
    if (window_.empty() && !Refill()) return false;
    const size_t here = std::min(window_.size(), static_cast<size_t>(count));
    window_.remove_prefix(here);
    count -= static_cast<int64_t>(here);
  }
  return true;
}

bool RecordScanner::Refill() {
  if (error_) return false;
  auto piece = source_->Next();
  if (!piece) {
    error_ = piece.error();
    return false;
  }
  unpacked_ += piece->size();
  if (unpacked_ > limit_) {
    error_ =
        Error{ErrorCode::kInvalidRecord, "the batch unpacks to more than " +
                                             std::to_string(limit_) + " bytes"};
    return false;
  }
  window_ = *piece;
  return !window_.empty();
}

tl::unexpected<Error> RecordScanner::Broken(const char* what) {
  if (error_) return Fail(*error_);
  return Fail(ErrorCode::kInvalidRecord, std::string("record: ") + what);
}

}  // namespace tidemark::record
