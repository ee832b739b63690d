#include "broker/log/directory_health.h"

#include <glog/logging.h>

namespace tidemark::log {

void DirectoryHealth::TakeOffline(const Error& error) {
  if (on_error_) on_error_();
  if (offline_.exchange(true, std::memory_order_acq_rel)) return;
  LOG(ERROR) << "log directory offline dir=" << dir_
             << " error=" << error.message;
  if (on_offline_) on_offline_(error);
}

void DirectoryHealth::NoteSpace(uint64_t free, uint64_t least) {
  pressed_.store(free == 0 || free / 2 < least, std::memory_order_relaxed);
  const bool was = nearly_full_.load(std::memory_order_relaxed);
  const bool is = free < (was ? least + least / 4 : least);
  if (is == was) return;
  nearly_full_.store(is, std::memory_order_relaxed);
  if (is) {
    LOG(ERROR) << "log directory nearly full, producers are refused dir="
               << dir_ << " free_bytes=" << free << " least=" << least;
  } else {
    LOG(WARNING) << "log directory has room again dir=" << dir_
                 << " free_bytes=" << free;
  }
}

Status DirectoryHealth::HasRoom() const {
  if (!nearly_full_.load(std::memory_order_relaxed)) return {};
  return Fail(ErrorCode::kKafkaStorageError,
              "the disk of " + dir_ +
                  " is nearly full (free space on it or lower the topics' "
                  "retention)");
}

}  // namespace tidemark::log
