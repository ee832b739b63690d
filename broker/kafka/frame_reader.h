#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "common/base/memory_budget.h"
#include "common/base/result.h"
#include "common/base/shared_bytes.h"

namespace tidemark::server {

// Cuts a stream of bytes into Kafka's frames (int32 length, payload). Owned by
// one connection, no I/O.
//
// Small frames come through a staging buffer; a large one is received straight
// into its own buffer, which is all a request ever needs. The peer is not
// trusted: memory is taken from the budget as bytes come, not by the length
// that was announced, and stays taken until the last reference to the frame is
// gone. Frames of up to kNeverWaits bytes, and fetches of up to
// kFetchNeverWaits, are counted but do not wait: acknowledgements hang on the
// fetches of followers.
class FrameReader {
 public:
  static constexpr size_t kNeverWaits = 16 * 1024;
  static constexpr size_t kFetchNeverWaits = 256 * 1024;

  FrameReader(size_t max_frame, std::shared_ptr<MemoryBudget> budget)
      : max_frame_(max_frame), budget_(std::move(budget)) {}

  // Of frames that begin from now on. `known`: who sends them; nobody's word is
  // taken before that for what is a follower's fetch.
  void SetMaxFrame(size_t max_frame, bool known) {
    max_frame_ = max_frame;
    known_ = known;
  }

  // Where the next bytes go; empty when Next() has to be called first, or when
  // NeedsMemory().
  std::span<char> Space();
  // `count` bytes were put at the front of the last Space(). Next() may have
  // been called in between.
  void Filled(size_t count);
  // The next whole payload, if it is there. kInvalidRequest: a length below 0
  // or above the limit; the stream is of no use after that.
  Result<std::optional<SharedBytes>> Next();

  // The budget is used up: nothing can be received until WhenFree's callback.
  bool NeedsMemory() const { return needed_ > 0; }
  void WhenFree(Executor& on, std::function<void()> ready);
  // A frame that has begun and is not all there holds memory.
  bool HoldsHalfAFrame() const { return frame_ != nullptr; }
  void Drop() {
    frame_.reset();
    needed_ = 0;
  }

 private:
  struct Buffer;

  std::span<const char> Staged() const {
    return {staging_.get() + begin_, end_ - begin_};
  }
  Status StartFrame();
  void TakeStaged();
  // Whether memory for at least one more byte of the frame is there.
  bool Reserve();

  size_t max_frame_;
  bool known_ = true;
  const std::shared_ptr<MemoryBudget> budget_;
  std::unique_ptr<char[]> staging_;
  size_t begin_ = 0, end_ = 0;
  bool into_frame_ = false;  // what the last Space() was a part of
  // The frame being received, when there is one.
  std::shared_ptr<Buffer> frame_;
  size_t length_ = 0, received_ = 0;
  size_t reserved_ = 0;  // bytes of it that memory is there for
  size_t needed_ = 0;    // more of them, not yet there
  bool asked_ = false;   // for them, by WhenFree
};

}  // namespace tidemark::server
