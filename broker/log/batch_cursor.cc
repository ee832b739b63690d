#include "broker/log/batch_cursor.h"

#include <algorithm>

namespace tidemark::log {

Result<std::string_view> BatchCursor::Bytes(uint64_t at, size_t count) {
  if (at < window_at_ || at + count > window_at_ + window_.size()) {
    size_t size = static_cast<size_t>(
        std::min<uint64_t>(std::max(count, window_size_), to_ - at));
    window_.resize(size);
    window_at_ = at;
    TM_ASSIGN_OR_RETURN(size_t read, file_.ReadAt(at, window_.data(), size));
    window_.resize(read);
    if (read < count) {
      return Fail(ErrorCode::kCorruptMessage,
                  "the segment is shorter than expected");
    }
  }
  return std::string_view(window_).substr(at - window_at_, count);
}

Result<std::optional<BatchCursor::Item>> BatchCursor::Next() {
  if (at_ >= to_) return std::nullopt;
  if (to_ - at_ < record::kBatchHeaderSize) {
    return Fail(ErrorCode::kCorruptMessage, "a batch header is cut off");
  }
  TM_ASSIGN_OR_RETURN(std::string_view head,
                      Bytes(at_, record::kBatchHeaderSize));
  Item item;
  item.position = at_;
  TM_ASSIGN_OR_RETURN(item.header, record::ParseBatchHeader(head));
  const size_t size = item.header.FullSize();
  if (size > to_ - at_) {
    return Fail(ErrorCode::kCorruptMessage, "a batch is cut off");
  }
  if (want_ == Want::kWholeBatches) {
    TM_ASSIGN_OR_RETURN(item.bytes, Bytes(at_, size));
    TM_RETURN_IF_ERROR(record::ParseAndVerifyBatch(item.bytes));
  }
  at_ += size;
  return item;
}

}  // namespace tidemark::log
