#include "broker/log/log_workers.h"

#include <pthread.h>

#include <utility>

namespace tidemark::log {

LogWorkers::LogWorkers(int threads) {
  for (int i = 0; i < threads; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    Worker& worker = *workers_.back();
    worker.thread = std::thread([&worker] {
      pthread_setname_np(pthread_self(), "log-work");
      Run(worker);
    });
  }
}

LogWorkers::~LogWorkers() {
  for (const auto& worker : workers_) {
    {
      std::lock_guard lock(worker->mutex);
      worker->stopping = true;
    }
    worker->wake.notify_one();
  }
  for (const auto& worker : workers_) worker->thread.join();
}

void LogWorkers::Do(const TopicPartition& partition, Work work) {
  Worker& worker =
      *workers_[std::hash<TopicPartition>()(partition) % workers_.size()];
  {
    std::lock_guard lock(worker.mutex);
    ++worker.asked;
    worker.waiting.push_back(std::move(work));
  }
  worker.wake.notify_one();
}

void LogWorkers::Finish() {
  for (const auto& worker : workers_) {
    std::unique_lock lock(worker->mutex);
    const uint64_t asked = worker->asked;
    worker->done.wait(lock, [&] { return worker->finished >= asked; });
  }
}

void LogWorkers::Run(Worker& worker) {
  std::unique_lock lock(worker.mutex);
  while (true) {
    worker.wake.wait(
        lock, [&] { return worker.stopping || !worker.waiting.empty(); });
    if (worker.waiting.empty()) return;
    Work work = std::move(worker.waiting.front());
    worker.waiting.pop_front();
    lock.unlock();
    work();
    work = nullptr;  // what it holds goes here, too
    lock.lock();
    ++worker.finished;
    worker.done.notify_all();
  }
}

}  // namespace tidemark::log
