#include "broker/log/log_slice.h"

#include <algorithm>

namespace tidemark::log {

Result<std::optional<size_t>> SliceReader::Read(char* to, size_t count,
                                                bool may_wait) {
  const uint64_t at = slice_.position + done_;
  count = std::min(count, left());
  size_t read = 0;
  if (may_wait) {
    TM_ASSIGN_OR_RETURN(read, slice_.file->ReadAt(at, to, count));
  } else {
    TM_ASSIGN_OR_RETURN(const auto cached,
                        slice_.file->ReadCachedAt(at, to, count));
    if (!cached) return std::nullopt;
    read = *cached;
  }
  Status right = read > 0
                     ? Check({to, read})
                     : Fail(ErrorCode::kCorruptMessage, "the file ends early");
  if (!right) {
    if (corrupt_)
      corrupt_(std::max(slice_.from, checker_.next()), right.error());
    return tl::unexpected(right.error());
  }
  return read;
}

Status SliceReader::Check(std::string_view piece) {
  TM_RETURN_IF_ERROR(checker_.Add(piece));
  done_ += piece.size();
  if (left() == 0 && !checker_.AtBoundary())
    return Fail(ErrorCode::kCorruptMessage, "half a batch where a batch ended");
  return {};
}

}  // namespace tidemark::log
