#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
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

// What one request may ask about, and more than any tool does. Every one costs
// a few hundred bytes while it is looked up, whoever asks.
inline constexpr size_t kMaxGroupsInARequest = 100'000;

// Each id once, where it came first. A group that is named again would be
// described again: an answer may be large, but not by repetition.
inline std::vector<std::string> Distinct(std::vector<std::string> ids) {
  std::set<std::string_view> seen;
  std::vector<bool> first(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) first[i] = seen.insert(ids[i]).second;
  std::vector<std::string> out;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (first[i]) out.push_back(ids[i]);
  }
  return out;
}

// Waits for the answers of `count` coordinators, on whatever threads they
// come, and hands them on in the order asked. Asks kAtOnce of them at a time.
template <class T>
class Gather : public std::enable_shared_from_this<Gather<T>> {
 public:
  using Done = std::function<void(std::vector<T>)>;
  using Ask = std::function<void(size_t index, std::function<void(T)> done)>;

  // Runs `ask(index, done)` for every index; each `done` runs once. `ask` is
  // kept, and run on any of those threads.
  static void Run(size_t count, Done done, Ask ask) {
    if (count == 0) {
      done({});
      return;
    }
    std::make_shared<Gather>(count, std::move(done), std::move(ask))->AskMore();
  }

  Gather(size_t count, Done done, Ask ask)
      : results_(count), done_(std::move(done)), ask_(std::move(ask)) {}

 private:
  static constexpr size_t kAtOnce = 256;

  // Answers that come at once, inside of ask_, are taken by the loop.
  void AskMore() {
    std::unique_lock lock(mutex_);
    if (asking_) return;
    asking_ = true;
    while (asked_ < results_.size() && asked_ - answered_ < kAtOnce) {
      const size_t index = asked_++;
      lock.unlock();
      ask_(index, [self = this->shared_from_this(), index](T result) {
        self->Set(index, std::move(result));
      });
      lock.lock();
    }
    asking_ = false;
  }

  void Set(size_t index, T result) {
    std::unique_lock lock(mutex_);
    results_[index] = std::move(result);
    const bool last = ++answered_ == results_.size();
    lock.unlock();
    if (!last) return AskMore();
    done_(std::move(results_));
  }

  std::mutex mutex_;
  std::vector<T> results_;
  size_t asked_ = 0;
  size_t answered_ = 0;
  bool asking_ = false;
  Done done_;
  Ask ask_;
};

}  // namespace tidemark::server
