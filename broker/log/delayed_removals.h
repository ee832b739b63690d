#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace tidemark::log {

// Paths that stay on disk for a while after they were deleted
// (file.delete.delay.ms). At most so many: of more, those that were to go first
// go at once. Forgotten with the process; the next one finds them by their
// names. Any thread.
class DelayedRemovals {
 public:
  explicit DelayedRemovals(size_t most) : most_(most) {}

  void Add(std::string path, Instant due);
  // What is to be removed now, in that order; all of them when `all`.
  std::vector<std::string> Take(Instant now, bool all);
  size_t size() const;

 private:
  const size_t most_;
  mutable std::mutex mutex_;
  std::multimap<Instant, std::string> by_due_;
};

}  // namespace tidemark::log
