#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/clock.h"
#include "common/base/executor.h"

namespace tidemark::sim {

// What a set of threads has in common: it pauses and dies as one. A dead
// process's threads run on, to be joined, but nothing they do counts: they
// never wait for time, and their disk and network refuse everything.
struct Process {
  std::string name;
  bool dead = false;
  Instant paused_until{};
};

// One simulated thread: a stack of its own on the scheduler's real thread.
class Fiber;

// Threads and time of one simulation. Simulated threads take turns on the one
// real thread that calls Run: they switch only where they wait (for time, for
// a condition, for a lock, for another's end), so a run depends on the seed
// alone. std::thread, std::mutex, std::condition_variable, sleeps and clocks of
// the code that runs inside are those of the scheduler (pthreads.cc): the
// product starts and joins its threads as ever.
//
// Not simulated: std::atomic::wait, std::promise, std::shared_mutex.
class Scheduler {
 public:
  explicit Scheduler(uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // The one whose Run is on the stack of this real thread, else nullptr.
  static Scheduler* Current();

  Instant Now() const { return now_; }
  int64_t WallMs() const;
  std::mt19937_64& random() { return random_; }
  int64_t Below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }
  bool Chance(int per_mille) { return Below(1000) < per_mille; }
  Duration Between(Duration low, Duration high) {
    return low + Duration(Below((high - low).count() + 1));
  }

  // Runs `event` then, on no thread: it must not wait. It still runs when
  // everybody who was there when it was made is gone.
  void After(Duration delay, std::function<void()> event);

  // A thread of `process` (nullptr: of the one that calls).
  Fiber* Spawn(std::string name, Process* process, std::function<void()> body);
  // Until its body has returned; frees it. Called by a thread.
  void Join(Fiber* fiber);
  // Nobody will join it: it frees itself.
  void Detach(Fiber* fiber);
  // Whether it is one of this scheduler's threads, not joined yet.
  bool Owns(const Fiber* fiber) const;

  // Called by a thread. Waits for time, unless its process is dead.
  void Sleep(Duration span);
  // Waits until Wake, or until `deadline`: then false.
  bool Park(std::optional<Instant> deadline);
  // Ends the Park of a thread, a little later: threads start late.
  void Wake(Fiber* fiber, Duration delay = Duration::zero());
  Fiber* self() const { return running_; }
  Process* process() const;
  // Threads of a dead process do not wait for time any more.
  void Kill(Process* process);

  // Conditions and locks, known by their address. See pthreads.cc.
  void WaitOn(const void* address);
  bool WaitOn(const void* address, Instant deadline);  // false: too late
  void WakeOne(const void* address);
  void WakeAll(const void* address);

  // Runs what is due until `end`, or until `stop`.
  void Run(Instant end, const std::function<bool()>& stop);

  uint64_t events() const { return events_; }
  // Of all that has happened: equal for equal runs.
  uint64_t hash() const { return hash_; }
  void Note(uint64_t value);
  // Drops the events that are left, and what they hold. After the last Run.
  void Clear();
  // Threads that have not ended.
  size_t alive() const { return fibers_.size(); }
  std::string Threads() const;

 private:
  friend class Fiber;
  struct Event {
    std::function<void()> run;  // or else:
    uint64_t fiber = 0;         // whose wait it ends, and
    uint64_t wait = 0;          // which of its waits
    bool timeout = false;
  };
  static void Enter();
  void Push(Instant at, Event event);
  void Resume(Fiber* fiber);
  void SwitchOut();
  void Finish(Fiber* fiber);

  std::mt19937_64 random_;
  Instant now_{std::chrono::hours(1)};
  uint64_t next_ = 0;
  uint64_t events_ = 0;
  uint64_t hash_ = 0xcbf29ce484222325;
  std::map<std::pair<Instant, uint64_t>, Event> queue_;
  std::map<uint64_t, std::unique_ptr<Fiber>> fibers_;  // in order of birth
  std::unordered_set<const Fiber*> mine_;
  std::unordered_map<const void*, std::deque<Fiber*>> waiting_;
  Fiber* running_ = nullptr;
  uint64_t born_ = 0;
  struct Context;
  std::unique_ptr<Context> main_;
};

// An executor that is a thread of a process.
class SimExecutor final : public Executor {
 public:
  SimExecutor(Scheduler& scheduler, Process* process, std::string name);
  // Stops.
  ~SimExecutor() override;

  void Post(Task task) override;
  void PostAfter(Duration delay, Task task) override;
  Instant Now() const override { return scheduler_.Now(); }
  int64_t WallMs() const override { return scheduler_.WallMs(); }

  // By a thread that is not its own: waits for the task that runs and drops
  // the others. Twice is once.
  void Stop();
  // On its thread, after every task. Set before the first one.
  std::function<void()> after_task;

 private:
  void Loop();

  Scheduler& scheduler_;
  std::map<std::pair<Instant, uint64_t>, Task> queue_;
  uint64_t next_ = 0;
  bool stopping_ = false;
  bool idle_ = false;
  Instant wakes_at_{};
  Fiber* fiber_;
};

}  // namespace tidemark::sim
