#include "broker/log/log_workers.h"

#include <pthread.h>

#include <utility>

namespace tidemark::log {
namespace {

// What the slow one does in a row, a few of them in a fifth of the pause.
constexpr size_t kInARow = 4;
constexpr std::chrono::milliseconds kPause(1);

}  // namespace

LogWorkers::LogWorkers(int threads) {
  for (int i = 0; i <= threads; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    Start(*workers_.back(), i == 0);
  }
}

void LogWorkers::Start(Worker& worker, bool slow) {
  worker.thread = std::thread([&worker, slow] {
    pthread_setname_np(pthread_self(), slow ? "log-slow" : "log-work");
    Run(worker, slow);
  });
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

LogWorkers::Worker& LogWorkers::FastOf(const TopicPartition& partition) {
  const size_t fast = workers_.size() - 1;
  return *workers_[1 + std::hash<TopicPartition>()(partition) % fast];
}

void LogWorkers::Do(const TopicPartition& partition, Work work) {
  if (FollowsSlowly(partition, &work)) return;
  Worker& worker = FastOf(partition);
  {
    std::lock_guard lock(worker.mutex);
    ++worker.asked;
    worker.waiting.push_back(std::move(work));
  }
  worker.wake.notify_one();
}

// Behind what the slow one has of that partition, which hurries then.
bool LogWorkers::FollowsSlowly(const TopicPartition& partition, Work* work) {
  Worker& slow = *workers_[0];
  {
    std::lock_guard lock(slow.mutex);
    if (!slow_.contains(partition)) return false;
    PushSlowly(partition, std::move(*work));
    slow.hurried = slow.waiting.size();
  }
  slow.wake.notify_one();
  return true;
}

void LogWorkers::DoSlowly(const TopicPartition& partition, Work work) {
  Worker& fast = FastOf(partition);
  uint64_t before = 0;
  {
    std::lock_guard lock(fast.mutex);
    before = fast.asked;
  }
  {
    std::lock_guard lock(workers_[0]->mutex);
    PushSlowly(partition, [&fast, before, work = std::move(work)] {
      WaitFor(fast, before);
      work();
    });
  }
  workers_[0]->wake.notify_one();
}

void LogWorkers::PushSlowly(const TopicPartition& partition, Work work) {
  Worker& slow = *workers_[0];
  ++slow_[partition];
  ++slow.asked;
  slow.waiting.push_back([this, partition, work = std::move(work)]() mutable {
    work();
    work = nullptr;
    std::lock_guard lock(workers_[0]->mutex);
    const auto it = slow_.find(partition);
    if (--it->second == 0) slow_.erase(it);
  });
}

void LogWorkers::WaitFor(Worker& worker, uint64_t finished) {
  std::unique_lock lock(worker.mutex);
  worker.done.wait(lock, [&] { return worker.finished >= finished; });
}

void LogWorkers::Finish() {
  // The slow one last: it may wait for the others.
  for (size_t i = workers_.size(); i-- > 0;) {
    Worker& worker = *workers_[i];
    uint64_t asked = 0;
    {
      std::lock_guard lock(worker.mutex);
      asked = worker.asked;
      worker.hurried = worker.waiting.size();
    }
    worker.wake.notify_one();
    WaitFor(worker, asked);
  }
}

void LogWorkers::Run(Worker& worker, bool slow) {
  std::unique_lock lock(worker.mutex);
  size_t in_a_row = 0;
  while (true) {
    worker.wake.wait(
        lock, [&] { return worker.stopping || !worker.waiting.empty(); });
    if (worker.waiting.empty()) return;
    if (slow && ++in_a_row > kInARow) {
      in_a_row = 1;
      worker.wake.wait_for(
          lock, kPause, [&] { return worker.stopping || worker.hurried > 0; });
    }
    if (worker.hurried > 0) --worker.hurried;
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
