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
  // `on_offline` is called once, on the thread that met the error.
  explicit DirectoryHealth(std::string dir,
                           std::function<void(const Error&)> on_offline = {})
      : dir_(std::move(dir)), on_offline_(std::move(on_offline)) {}

  bool offline() const { return offline_.load(std::memory_order_acquire); }
  void TakeOffline(const Error& error);
  const std::string& dir() const { return dir_; }

 private:
  const std::string dir_;
  const std::function<void(const Error&)> on_offline_;
  std::atomic<bool> offline_ = false;
};

}  // namespace tidemark::log
