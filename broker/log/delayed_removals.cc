#include "broker/log/delayed_removals.h"

#include <utility>

namespace tidemark::log {

void DelayedRemovals::Add(std::string path, Instant due) {
  std::lock_guard lock(mutex_);
  by_due_.emplace(due, std::move(path));
}

std::vector<std::string> DelayedRemovals::Take(Instant now, bool all) {
  std::lock_guard lock(mutex_);
  std::vector<std::string> taken;
  for (auto it = by_due_.begin(); it != by_due_.end();) {
    if (!all && by_due_.size() <= most_ && it->first > now) break;
    taken.push_back(std::move(it->second));
    it = by_due_.erase(it);
  }
  return taken;
}

size_t DelayedRemovals::size() const {
  std::lock_guard lock(mutex_);
  return by_due_.size();
}

}  // namespace tidemark::log
