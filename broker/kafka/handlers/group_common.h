#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "broker/coordinator/group_coordinator.h"
#include "broker/kafka/handler.h"
#include "common/base/error_code.h"

// What the handlers of the group APIs share.
namespace tidemark::server {

inline int16_t ErrorField(ErrorCode error) {
  return static_cast<int16_t>(error);
}

// Waits for the answers of `count` coordinators, on whatever threads they
// come, and hands them on in the order asked.
template <class T>
class Gather {
 public:
  using Done = std::function<void(std::vector<T>)>;

  // Runs `ask(index, done)` for every index; each `done` runs once.
  template <class Ask>
  static void Run(size_t count, Done done, Ask ask) {
    if (count == 0) {
      done({});
      return;
    }
    auto gather = std::make_shared<Gather>(count, std::move(done));
    for (size_t i = 0; i < count; ++i)
      ask(i, [gather, i](T result) { gather->Set(i, std::move(result)); });
  }

  Gather(size_t count, Done done)
      : results_(count), left_(count), done_(std::move(done)) {}

 private:
  void Set(size_t index, T result) {
    std::unique_lock lock(mutex_);
    results_[index] = std::move(result);
    if (--left_ > 0) return;
    lock.unlock();
    done_(std::move(results_));
  }

  std::mutex mutex_;
  std::vector<T> results_;
  size_t left_;
  Done done_;
};

}  // namespace tidemark::server
