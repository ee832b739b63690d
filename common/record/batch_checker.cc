#include "common/record/batch_checker.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "common/record/big_endian.h"
#include "common/record/crc32c.h"

namespace tidemark::record {

bool IsIntact(std::string_view bytes) {
  const auto size = PeekBatchSize(bytes);
  return size && *size == bytes.size() && *size >= kBatchHeaderSize &&
         ComputeCrc(bytes) == LoadBigEndian<uint32_t>(bytes.data() + kCrcAt);
}

Status BatchChecker::Add(std::string_view piece) {
  while (!piece.empty()) {
    size_t taken = 0;
    if (filled_ < kBatchHeaderSize) {
      taken = std::min(piece.size(), kBatchHeaderSize - filled_);
      std::memcpy(bytes_.data() + filled_, piece.data(), taken);
      filled_ += taken;
      if (filled_ == kBatchHeaderSize) TM_RETURN_IF_ERROR(Begin());
    } else {
      taken = std::min(piece.size(), left_);
      crc_ = ExtendCrc32c(crc_, piece.substr(0, taken));
      left_ -= taken;
    }
    piece.remove_prefix(taken);
    if (filled_ == kBatchHeaderSize && left_ == 0) TM_RETURN_IF_ERROR(End());
  }
  return {};
}

Status BatchChecker::Begin() {
  const std::string_view bytes(bytes_.data(), bytes_.size());
  TM_ASSIGN_OR_RETURN(header_, ParseBatchHeader(bytes));
  if (header_.base_offset < next_)
    return Fail(ErrorCode::kCorruptMessage,
                "offset " + std::to_string(header_.base_offset) +
                    " follows offset " + std::to_string(next_ - 1));
  if (each_) TM_RETURN_IF_ERROR(each_(header_));
  crc_ = Crc32c(bytes.substr(kAttributesAt));
  left_ = header_.FullSize() - kBatchHeaderSize;
  return {};
}

Status BatchChecker::End() {
  if (crc_ != header_.crc)
    return Fail(ErrorCode::kCorruptMessage,
                "the checksum of the batch at offset " +
                    std::to_string(header_.base_offset) + " is wrong");
  next_ = header_.NextOffset();
  filled_ = 0;
  return {};
}

}  // namespace tidemark::record
