#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/base/executor.h"

// For threads that may wait and want to know what only a shard knows.
namespace tidemark::replication {

// What `work` says to `done`, which it is given on the executor and may keep;
// nullopt: it was dropped, as when the executor has stopped.
template <class T>
std::optional<T> AskLater(
    Executor& executor, std::function<void(std::function<void(T)> done)> work) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable wake;
    std::optional<T> answer;
    bool over = false;
  };
  auto waiting = std::make_shared<Waiting>();
  // Goes with the task, run or not.
  std::shared_ptr<void> over(nullptr, [waiting](void*) {
    std::lock_guard lock(waiting->mutex);
    waiting->over = true;
    waiting->wake.notify_one();
  });
  executor.Post([waiting, over, work = std::move(work)] {
    work([waiting, over](T answer) {
      std::lock_guard lock(waiting->mutex);
      waiting->answer = std::move(answer);
    });
  });
  over.reset();
  std::unique_lock lock(waiting->mutex);
  waiting->wake.wait(lock, [&] { return waiting->over; });
  return std::move(waiting->answer);
}

// What `work` returns on the executor.
template <class T>
std::optional<T> Ask(Executor& executor, std::function<T()> work) {
  return AskLater<T>(
      executor, [work = std::move(work)](const std::function<void(T)>& done) {
        done(work());
      });
}

}  // namespace tidemark::replication
