#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/base/result.h"
#include "common/base/shared_bytes.h"

namespace tidemark::server {

// Cuts a stream of bytes into Kafka's frames (int32 length, payload). Owned by
// one connection, no I/O.
//
// Small frames come through a staging buffer; a large one is received straight
// into its own buffer, which is all a request ever needs. The peer is not
// trusted: a buffer grows with the bytes that came, not with the length that
// was announced.
class FrameReader {
 public:
  explicit FrameReader(size_t max_frame) : max_frame_(max_frame) {}

  // Where the next bytes go; empty when Next() has to be called first.
  std::span<char> Space();
  // `count` bytes were put at the front of the last Space(). Next() may have
  // been called in between.
  void Filled(size_t count);
  // The next whole payload, if it is there. kInvalidRequest: a length below 0
  // or above the limit; the stream is of no use after that.
  Result<std::optional<SharedBytes>> Next();

 private:
  std::span<const char> Staged() const {
    return {staging_.get() + begin_, end_ - begin_};
  }
  Status StartFrame();
  void TakeStaged();

  const size_t max_frame_;
  std::unique_ptr<char[]> staging_;
  size_t begin_ = 0, end_ = 0;
  bool into_frame_ = false;  // what the last Space() was a part of
  // The frame being received, when there is one.
  std::shared_ptr<char[]> frame_;
  size_t length_ = 0, capacity_ = 0, received_ = 0;
};

}  // namespace tidemark::server
