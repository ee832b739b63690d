#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>
#include <vector>

namespace tidemark::log {

// As many as are wanted; 0: as the machine has.
inline int Threads(int wanted) {
  const int machine = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(wanted > 0 ? wanted : machine, 1);
}

// Runs `each(i)` for every i below `count` on up to `threads` threads.
inline void ParallelFor(size_t count, int threads,
                        const std::function<void(size_t)>& each) {
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i = next++; i < count; i = next++) each(i);
  };
  std::vector<std::thread> helpers;
  for (int i = 1; i < threads && static_cast<size_t>(i) < count; ++i) {
    helpers.emplace_back(work);
  }
  work();
  for (auto& helper : helpers) helper.join();
}

}  // namespace tidemark::log
