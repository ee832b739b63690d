#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "controller/quorum/disk.h"
#include "controller/quorum/options.h"

namespace tidemark::quorum {

// Says in the log when the disk hangs or is full, and gives the process up when
// it has hung too long.
class DiskWatch {
 public:
  // Ends the process, and does not come back where it is a process.
  using GiveUp = std::function<void(const std::string& why)>;

  // Both outlive this.
  DiskWatch(const Options& options, const Disk& disk, GiveUp give_up)
      : options_(options), disk_(disk), give_up_(std::move(give_up)) {}

  // The disk has kept the oldest write for so many ticks; 0: it has none. By
  // ticks, so that a process that was stopped does not blame its disk.
  void Tick(uint64_t ticks);

 private:
  void SayHangs(uint64_t ticks);
  void SayFull(bool full);

  const Options& options_;
  const Disk& disk_;
  const GiveUp give_up_;
  bool hangs_ = false, full_ = false;  // said so
  uint64_t ticks_with_room_ = 0;
};

}  // namespace tidemark::quorum
