#include "controller/quorum/disk_watch.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace tidemark::quorum {

void DiskWatch::Tick(uint64_t ticks) {
  SayHangs(ticks);
  const bool full = disk_.full();
  SayFull(full);
  ticks_with_room_ = full ? 0 : ticks_with_room_ + 1;
  const auto with_room =
      static_cast<int64_t>(std::min(ticks, ticks_with_room_));
  if (with_room * options_.tick_ms <= options_.disk_timeout_ms) return;
  give_up_(
      "the disk of " + options_.directory + " has not ended a write for " +
      std::to_string(static_cast<int64_t>(ticks) * options_.tick_ms / 1000) +
      " s, stopping: look for the disk in the kernel's log (a volume that "
      "does not answer, a controller that resets); nothing acknowledged "
      "is lost");
}

void DiskWatch::SayHangs(uint64_t ticks) {
  const bool hangs = ticks > options_.election_ticks_max;
  if (std::exchange(hangs_, hangs) == hangs) return;
  if (hangs) {
    LOG(ERROR) << "the disk of " << options_.directory
               << " has not ended a write for "
               << static_cast<int64_t>(ticks) * options_.tick_ms
               << " ms: no vote and no leadership before it does";
  } else {
    LOG(INFO) << "the disk ends its writes again";
  }
}

void DiskWatch::SayFull(bool full) {
  if (std::exchange(full_, full) == full) return;
  if (full) {
    LOG(ERROR) << "the disk of " << options_.directory << " has less than "
               << (kLeastFree >> 20)
               << " MiB left: this controller writes nothing, votes for nobody "
                  "and does not lead until there is room";
  } else {
    LOG(INFO) << "the disk has room again";
  }
}

}  // namespace tidemark::quorum
