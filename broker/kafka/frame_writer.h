#pragma once

#include <asio/buffer.hpp>
#include <deque>
#include <memory>
#include <vector>

#include "common/kafka/encoder.h"

namespace tidemark::server {

// Frames on their way into a socket: says which bytes come next, and reads
// those that are not in memory when their turn comes, a piece at a time. So an
// answer of megabytes to a client that does not read costs one piece.
//
// Used by one thread at a time.
class FrameWriter {
 public:
  // What is read at once: small enough to be in the processor's cache still
  // when the socket takes it.
  static constexpr size_t kPiece = 256 << 10;

  enum class Next {
    kNothing,  // everything is written
    kWrite,    // buffers()
    kRead,     // ReadFromDisk, where one may wait; then Prepare again
  };

  FrameWriter();
  ~FrameWriter();

  void Add(kafka::EncodedFrame frame);
  // An error: what is under way cannot be finished.
  Result<Next> Prepare();
  Status ReadFromDisk();
  // REQUIRES: Prepare has said kWrite. Valid until Sent.
  const std::vector<asio::const_buffer>& buffers() const { return buffers_; }
  void Sent(size_t count);

  // What a frame takes of memory while it waits here.
  static size_t MemoryOf(const kafka::EncodedFrame& frame);

 private:
  Result<bool> FillPiece(bool may_wait);

  std::deque<Payload> chunks_;  // behind buffers_
  std::vector<asio::const_buffer> buffers_;
  std::vector<Payload> in_buffers_;  // what they point to
  std::unique_ptr<char[]> piece_;    // or that
  size_t piece_used_ = 0;
};

}  // namespace tidemark::server
