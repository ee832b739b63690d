#pragma once

#include <atomic>
#include <functional>

#include "common/base/result.h"

namespace tidemark::log {

// Whether a log directory still works. The first kKafkaStorageError of any of
// its logs takes it offline for good: nothing is written to it any more, and a
// failed sync is never tried again (B-32). Any thread.
class DirectoryHealth {
 public:
  // `on_offline` is called once, on the thread that met the error; before it,
  // and upon every further error, `on_error`.
  explicit DirectoryHealth(std::string dir,
                           std::function<void(const Error&)> on_offline = {},
                           std::function<void()> on_error = {})
      : dir_(std::move(dir)),
        on_offline_(std::move(on_offline)),
        on_error_(std::move(on_error)) {}

  bool offline() const { return offline_.load(std::memory_order_acquire); }
  // What is on the disk is compared with the least that must stay free for
  // what has to go on when nothing else does: followers that catch up,
  // coordinators, recovery. Below it producers are refused until a quarter
  // more is free.
  void NoteSpace(uint64_t free, uint64_t least);
  // Twice that is not free: nothing that is deleted may stay for a while.
  bool pressed() const { return pressed_.load(std::memory_order_relaxed); }
  // kKafkaStorageError: the disk is nearly full.
  Status HasRoom() const;
  void TakeOffline(const Error& error);
  const std::string& dir() const { return dir_; }

 private:
  const std::string dir_;
  const std::function<void(const Error&)> on_offline_;
  const std::function<void()> on_error_;
  std::atomic<bool> offline_ = false;
  std::atomic<bool> nearly_full_ = false;
  std::atomic<bool> pressed_ = false;
};

}  // namespace tidemark::log
