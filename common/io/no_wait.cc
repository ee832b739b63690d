#include "common/io/no_wait.h"

#include <algorithm>

#include "common/io/file.h"

namespace tidemark::io {
namespace {

// Somebody who reads a little wants more of it; who reads much, as much again.
constexpr size_t kLeastAhead = 128 << 10;
constexpr size_t kMostAhead = 1 << 20;
constexpr size_t kPiece = 256 << 10;

}  // namespace

tl::unexpected<Error> NoWait::Miss(Missed missed) {
  const std::string what =
      missed.file != nullptr ? "a part of a file" : missed.path;
  Current()->missed_ = std::move(missed);
  return Fail(ErrorCode::kWouldWait, what + " is not in memory");
}

Status ReadMissed(const NoWait::Missed& missed) {
  if (missed.file == nullptr) {
    TM_RETURN_IF_ERROR(missed.files->Open(missed.path, false));
    return {};
  }
  size_t left =
      missed.count + std::clamp(missed.count, kLeastAhead, kMostAhead);
  uint64_t at = missed.position;
  const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
  while (left > 0) {
    const size_t count = std::min(left, kPiece);
    TM_ASSIGN_OR_RETURN(const size_t read,
                        missed.file->ReadAt(at, piece.get(), count));
    if (read < count) break;
    at += read;
    left -= read;
  }
  return {};
}

}  // namespace tidemark::io
