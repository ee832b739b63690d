#include "tests/sim/threads/scheduler.h"

#include <glog/logging.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <utility>

#include "common/base/dispatch.h"
#include "common/base/may_wait.h"
#include "common/io/no_wait.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define TIDEMARK_ASAN 1
#endif

namespace tidemark::sim {

namespace {

thread_local Scheduler* current = nullptr;

#ifdef TIDEMARK_ASAN
constexpr size_t kStack = size_t{1} << 20;
#else
constexpr size_t kStack = size_t{256} << 10;
#endif

// Stacks are used again: a run has thousands of threads.
class StackPool {
 public:
  char* Take() {
    if (!free_.empty()) {
      char* stack = free_.back();
      free_.pop_back();
      return stack;
    }
    void* made = mmap(nullptr, kStack, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    PCHECK(made != MAP_FAILED);
    // The lowest page catches an overflow.
    PCHECK(mprotect(made, 4096, PROT_NONE) == 0);
    return static_cast<char*>(made);
  }
  void Give(char* stack) {
#ifdef TIDEMARK_ASAN
    __asan_unpoison_memory_region(stack + 4096, kStack - 4096);
#endif
    free_.push_back(stack);
  }

 private:
  std::vector<char*> free_;
};

StackPool& Stacks() {
  static auto* pool = new StackPool;
  return *pool;
}

}  // namespace

struct Scheduler::Context {
  ucontext_t context;
#ifdef TIDEMARK_ASAN
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  size_t size = 0;
#endif
};

class Fiber {
 public:
  uint64_t id = 0;
  std::string name;
  Process* process = nullptr;
  std::function<void()> body;
  char* stack = nullptr;
  Scheduler::Context context;
  const Executor* executor = nullptr;  // of Dispatch
  io::NoWait* no_wait = nullptr;
  bool must_not_wait = false;
  uint64_t waits = 0;
  bool waiting = false;
  bool sleeping = false;  // the wait is for time
  bool timed_out = false;
  bool finished = false;
  bool detached = false;
  Fiber* joiner = nullptr;
};

Scheduler::Scheduler(uint64_t seed)
    : random_(seed), main_(std::make_unique<Context>()) {}

Scheduler::~Scheduler() {
  // Their stacks hold objects that nobody would destroy.
  CHECK(fibers_.empty()) << "threads are left:" << Threads();
}

Scheduler* Scheduler::Current() { return current; }

int64_t Scheduler::WallMs() const {
  return 1'700'000'000'000 +
         now_.time_since_epoch() / std::chrono::milliseconds(1);
}

void Scheduler::Note(uint64_t value) {
  for (int i = 0; i < 8; ++i) {
    hash_ = (hash_ ^ (value & 0xff)) * 0x100000001b3;
    value >>= 8;
  }
}

void Scheduler::Push(Instant at, Event event) {
  queue_.emplace(std::pair{std::max(at, now_), next_++}, std::move(event));
}

void Scheduler::After(Duration delay, std::function<void()> event) {
  Push(now_ + delay, {std::move(event), 0, 0, false});
}

Fiber* Scheduler::Spawn(std::string name, Process* process,
                        std::function<void()> body) {
  auto made = std::make_unique<Fiber>();
  Fiber* fiber = made.get();
  fiber->id = ++born_;
  fiber->name = std::move(name);
  fiber->process = process != nullptr ? process : this->process();
  fiber->body = std::move(body);
  fiber->stack = Stacks().Take();
  getcontext(&fiber->context.context);
  fiber->context.context.uc_stack.ss_sp = fiber->stack;
  fiber->context.context.uc_stack.ss_size = kStack;
  fiber->context.context.uc_link = nullptr;
  makecontext(&fiber->context.context, &Scheduler::Enter, 0);
#ifdef TIDEMARK_ASAN
  // Otherwise every switch to it forgets what of the stack is poisoned.
  fiber->context.context.uc_stack = {};
#endif
  fibers_.emplace(fiber->id, std::move(made));
  mine_.insert(fiber);
  fiber->waiting = true;
  Wake(fiber);
  return fiber;
}

void Scheduler::Enter() {
  Scheduler* scheduler = current;
  Fiber* self = scheduler->running_;
#ifdef TIDEMARK_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &scheduler->main_->bottom,
                                  &scheduler->main_->size);
#endif
  self->body();
  self->body = nullptr;
  self->finished = true;
  if (self->joiner != nullptr) scheduler->Wake(self->joiner);
#ifdef TIDEMARK_ASAN
  __sanitizer_start_switch_fiber(nullptr, scheduler->main_->bottom,
                                 scheduler->main_->size);
#endif
  swapcontext(&self->context.context, &scheduler->main_->context);
  LOG(FATAL) << "a thread goes on after its end";
}

// From the main stack to the thread's, until it waits.
void Scheduler::Resume(Fiber* fiber) {
  running_ = fiber;
  fiber->waiting = false;
  const Executor* executor = std::exchange(current_executor, fiber->executor);
  io::NoWait* const no_wait = io::NoWait::Exchange(fiber->no_wait);
  const bool must_not = std::exchange(must_not_wait, fiber->must_not_wait);
#ifdef TIDEMARK_ASAN
  __sanitizer_start_switch_fiber(&main_->fake_stack, fiber->stack, kStack);
#endif
  swapcontext(&main_->context, &fiber->context.context);
#ifdef TIDEMARK_ASAN
  __sanitizer_finish_switch_fiber(main_->fake_stack, nullptr, nullptr);
#endif
  fiber->executor = std::exchange(current_executor, executor);
  fiber->no_wait = io::NoWait::Exchange(no_wait);
  fiber->must_not_wait = std::exchange(must_not_wait, must_not);
  running_ = nullptr;
  if (fiber->finished && fiber->detached) Finish(fiber);
}

void Scheduler::SwitchOut() {
  Fiber* self = running_;
#ifdef TIDEMARK_ASAN
  __sanitizer_start_switch_fiber(&self->context.fake_stack, main_->bottom,
                                 main_->size);
#endif
  swapcontext(&self->context.context, &main_->context);
#ifdef TIDEMARK_ASAN
  __sanitizer_finish_switch_fiber(self->context.fake_stack, nullptr, nullptr);
#endif
}

void Scheduler::Finish(Fiber* fiber) {
  Stacks().Give(fiber->stack);
  mine_.erase(fiber);
  fibers_.erase(fiber->id);
}

void Scheduler::Join(Fiber* fiber) {
  CHECK(running_ != nullptr && running_ != fiber);
  while (!fiber->finished) {
    fiber->joiner = running_;
    Park(std::nullopt);
  }
  Finish(fiber);
}

void Scheduler::Detach(Fiber* fiber) {
  if (fiber->finished) return Finish(fiber);
  fiber->detached = true;
}

bool Scheduler::Owns(const Fiber* fiber) const { return mine_.contains(fiber); }

Process* Scheduler::process() const {
  return running_ == nullptr ? nullptr : running_->process;
}

bool Scheduler::Park(std::optional<Instant> deadline) {
  Fiber* self = running_;
  CHECK(self != nullptr) << "only threads wait";
  self->waiting = true;
  self->timed_out = false;
  ++self->waits;
  if (deadline) Push(*deadline, {nullptr, self->id, self->waits, true});
  SwitchOut();
  return !self->timed_out;
}

void Scheduler::Sleep(Duration span) {
  if (running_ == nullptr) return;
  Process* process = running_->process;
  if (process != nullptr && process->dead) return;
  running_->sleeping = true;
  Park(now_ + span);
  running_->sleeping = false;
}

void Scheduler::Wake(Fiber* fiber, Duration delay) {
  if (!fiber->waiting) return;
  // A thread that becomes ready starts when the machine has time for it.
  delay += Chance(10) ? Between(Duration::zero(), std::chrono::milliseconds(2))
                      : Between(std::chrono::nanoseconds(500),
                                std::chrono::microseconds(20));
  Push(now_ + delay, {nullptr, fiber->id, fiber->waits, false});
}

void Scheduler::Kill(Process* process) {
  process->dead = true;
  for (const auto& [id, fiber] : fibers_) {
    if (fiber->process == process && fiber->sleeping) Wake(fiber.get());
  }
}

void Scheduler::WaitOn(const void* address) {
  waiting_[address].push_back(running_);
  Park(std::nullopt);
}

bool Scheduler::WaitOn(const void* address, Instant deadline) {
  Fiber* self = running_;
  waiting_[address].push_back(self);
  if (Park(deadline)) return true;
  const auto it = waiting_.find(address);
  if (it == waiting_.end()) return true;  // woken at the same moment
  const size_t removed = std::erase(it->second, self);
  if (it->second.empty()) waiting_.erase(it);
  return removed == 0;
}

void Scheduler::WakeOne(const void* address) {
  const auto it = waiting_.find(address);
  if (it == waiting_.end()) return;
  Fiber* fiber = it->second.front();
  it->second.pop_front();
  if (it->second.empty()) waiting_.erase(it);
  Wake(fiber);
}

void Scheduler::WakeAll(const void* address) {
  const auto it = waiting_.find(address);
  if (it == waiting_.end()) return;
  const std::deque<Fiber*> all = std::move(it->second);
  waiting_.erase(it);
  for (Fiber* fiber : all) Wake(fiber);
}

void Scheduler::Run(Instant end, const std::function<bool()>& stop) {
  CHECK(current == nullptr);
  current = this;
  while (!stop() && !queue_.empty() && queue_.begin()->first.first <= end) {
    now_ = std::max(now_, queue_.begin()->first.first);
    Event event = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    if (event.run) {
      ++events_;
      Note(static_cast<uint64_t>(now_.time_since_epoch().count()));
      event.run();
      continue;
    }
    // The thread may have been woken by something else, and be gone.
    const auto found = fibers_.find(event.fiber);
    if (found == fibers_.end()) continue;
    Fiber* fiber = found->second.get();
    if (!fiber->waiting || fiber->waits != event.wait) continue;
    const Process* process = fiber->process;
    if (process != nullptr && !process->dead && process->paused_until > now_) {
      Push(process->paused_until, std::move(event));
      continue;
    }
    ++events_;
    Note(static_cast<uint64_t>(now_.time_since_epoch().count()));
    Note(fiber->id);
    fiber->timed_out = event.timeout;
    Resume(fiber);
  }
  if (queue_.empty() || queue_.begin()->first.first > end) {
    now_ = std::max(now_, end);
  }
  current = nullptr;
}

void Scheduler::Clear() {
  while (!queue_.empty()) auto dropped = queue_.extract(queue_.begin());
  while (!fibers_.empty() && fibers_.begin()->second->finished) {
    Finish(fibers_.begin()->second.get());
  }
}

std::string Scheduler::Threads() const {
  std::string names;
  for (const auto& [id, fiber] : fibers_) {
    names += ' ';
    if (fiber->process != nullptr) names += fiber->process->name + '/';
    names += fiber->name;
  }
  return names;
}

SimExecutor::SimExecutor(Scheduler& scheduler, Process* process,
                         std::string name)
    : scheduler_(scheduler),
      fiber_(scheduler.Spawn(std::move(name), process, [this] { Loop(); })) {}

SimExecutor::~SimExecutor() { Stop(); }

void SimExecutor::Post(Task task) {
  PostAfter(Duration::zero(), std::move(task));
}

void SimExecutor::PostAfter(Duration delay, Task task) {
  if (stopping_) return;
  const Instant due = scheduler_.Now() + std::max(delay, Duration::zero());
  queue_.emplace(std::pair{due, next_++}, std::move(task));
  if (!idle_ || due >= wakes_at_) return;
  wakes_at_ = due;
  scheduler_.Wake(fiber_, due - scheduler_.Now());
}

void SimExecutor::Stop() {
  if (fiber_ == nullptr) return;
  stopping_ = true;
  if (idle_) scheduler_.Wake(fiber_);
  scheduler_.Join(std::exchange(fiber_, nullptr));
  // What a task holds may post once more when it goes.
  while (!queue_.empty()) auto dropped = queue_.extract(queue_.begin());
}

void SimExecutor::Loop() {
  // Far more than anybody does in no time, but for one that never ends.
  constexpr int kMostAtOnce = 500'000;
  Instant since{};
  int tasks = 0;
  current_executor = this;
  while (!stopping_) {
    if (queue_.empty() || queue_.begin()->first.first > scheduler_.Now()) {
      idle_ = true;
      std::optional<Instant> until;
      if (!queue_.empty()) until = queue_.begin()->first.first;
      wakes_at_ = until.value_or(Instant::max());
      scheduler_.Park(until);
      idle_ = false;
      continue;
    }
    if (std::exchange(since, scheduler_.Now()) != scheduler_.Now()) tasks = 0;
    if (++tasks == kMostAtOnce) {
      LOG(FATAL) << fiber_->name << " has run " << tasks
                 << " tasks while time stood still";
    }
    Task task = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    task();
    if (after_task) after_task();
  }
  current_executor = nullptr;
}

}  // namespace tidemark::sim
