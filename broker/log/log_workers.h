#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"

namespace tidemark::log {

// Threads that may wait for a disk, for what is done to whole logs: making,
// cutting and removing them, and their files. What is about one partition is
// done in the order in which it came, so that a name can be used again.
//
// One thread more does with pauses what nobody waits for: a topic of thousands
// of partitions that goes must not take the processors from the others.
//
// Any thread, but for Finish: not by a work.
class LogWorkers {
 public:
  using Work = std::function<void()>;

  explicit LogWorkers(int threads);
  // Does what is left.
  ~LogWorkers();
  LogWorkers(const LogWorkers&) = delete;
  LogWorkers& operator=(const LogWorkers&) = delete;

  void Do(const TopicPartition& partition, Work work);
  void DoSlowly(const TopicPartition& partition, Work work);
  // Returns when all that was asked for until now is done.
  void Finish();

 private:
  struct Worker {
    std::mutex mutex;
    std::condition_variable wake;  // the thread
    std::condition_variable done;  // Finish
    std::deque<Work> waiting;
    uint64_t asked = 0, finished = 0;
    bool stopping = false;
    std::thread thread;
    // Of the slow one: how many from the front are waited for.
    size_t hurried = 0;
  };
  void Start(Worker& worker, bool slow);
  Worker& FastOf(const TopicPartition& partition);
  static void WaitFor(Worker& worker, uint64_t finished);
  static void Run(Worker& worker, bool slow);
  // False: nothing of that partition is there.
  bool FollowsSlowly(const TopicPartition& partition, Work* work);
  void PushSlowly(const TopicPartition& partition, Work work);

  std::vector<std::unique_ptr<Worker>> workers_;  // the slow one first
  // What the slow one has of each; under its mutex.
  std::unordered_map<TopicPartition, size_t> slow_;
};

}  // namespace tidemark::log
