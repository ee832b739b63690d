// The C library's threads, as the standard library calls them: inside a
// simulation they are the scheduler's, outside they are what they always are.
// The time that logs show is that of the scheduler, too.
//
// A program that links this file has these definitions found before the C
// library's, also by libstdc++. Nothing here is called by the scheduler itself.

#include <dlfcn.h>
#include <errno.h>
#include <glog/logging.h>
#include <pthread.h>
#include <sys/time.h>
#include <time.h>

#include "tests/sim/threads/scheduler.h"

namespace tidemark::sim {
namespace {

template <class F>
F Real(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

// Of a thread of the simulation; not of events, which must not wait.
Scheduler* Inside() {
  Scheduler* scheduler = Scheduler::Current();
  return scheduler != nullptr && scheduler->self() != nullptr ? scheduler
                                                              : nullptr;
}

Instant InstantOf(clockid_t clock, const timespec& time) {
  const auto since = std::chrono::seconds(time.tv_sec) +
                     std::chrono::nanoseconds(time.tv_nsec);
  if (clock == CLOCK_MONOTONIC) return Instant(since);
  const Scheduler* scheduler = Scheduler::Current();
  return scheduler->Now() +
         (since - Duration(std::chrono::milliseconds(scheduler->WallMs())));
}

void Lock(Scheduler* scheduler, pthread_mutex_t* mutex) {
  while (pthread_mutex_trylock(mutex) != 0) scheduler->WaitOn(mutex);
}

int WaitUntil(Scheduler* scheduler, pthread_cond_t* condition,
              pthread_mutex_t* mutex, const Instant* deadline) {
  pthread_mutex_unlock(mutex);
  bool in_time = true;
  if (deadline == nullptr) {
    scheduler->WaitOn(condition);
  } else {
    in_time = scheduler->WaitOn(condition, *deadline);
  }
  Lock(scheduler, mutex);
  return in_time ? 0 : ETIMEDOUT;
}

}  // namespace
}  // namespace tidemark::sim

using tidemark::Duration;
using tidemark::Instant;
using tidemark::sim::Fiber;
using tidemark::sim::Inside;
using tidemark::sim::Real;
using tidemark::sim::Scheduler;

extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                   void* (*start)(void*), void* argument) {
  static const auto real = Real<decltype(&pthread_create)>("pthread_create");
  Scheduler* scheduler = Scheduler::Current();
  if (scheduler == nullptr) return real(thread, attributes, start, argument);
  Fiber* made = scheduler->Spawn("thread", nullptr,
                                 [start, argument] { start(argument); });
  *thread = reinterpret_cast<pthread_t>(made);
  return 0;
}

int pthread_join(pthread_t thread, void** result) {
  static const auto real = Real<decltype(&pthread_join)>("pthread_join");
  Scheduler* scheduler = Inside();
  auto* fiber = reinterpret_cast<Fiber*>(thread);
  if (scheduler == nullptr || !scheduler->Owns(fiber)) {
    return real(thread, result);
  }
  scheduler->Join(fiber);
  return 0;
}

int pthread_detach(pthread_t thread) {
  static const auto real = Real<decltype(&pthread_detach)>("pthread_detach");
  Scheduler* scheduler = Scheduler::Current();
  auto* fiber = reinterpret_cast<Fiber*>(thread);
  if (scheduler == nullptr || !scheduler->Owns(fiber)) return real(thread);
  scheduler->Detach(fiber);
  return 0;
}

int pthread_setname_np(pthread_t thread, const char* name) noexcept {
  static const auto real =
      Real<decltype(&pthread_setname_np)>("pthread_setname_np");
  // The one real thread keeps its name.
  return Scheduler::Current() != nullptr ? 0 : real(thread, name);
}

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto real =
      Real<decltype(&pthread_mutex_lock)>("pthread_mutex_lock");
  if (Scheduler::Current() == nullptr) return real(mutex);
  if (pthread_mutex_trylock(mutex) == 0) return 0;
  Scheduler* scheduler = Inside();
  CHECK(scheduler != nullptr) << "an event waits for a lock";
  tidemark::sim::Lock(scheduler, mutex);
  return 0;
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  static const auto real =
      Real<decltype(&pthread_mutex_unlock)>("pthread_mutex_unlock");
  const int result = real(mutex);
  if (Scheduler* scheduler = Scheduler::Current()) scheduler->WakeOne(mutex);
  return result;
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  static const auto real =
      Real<decltype(&pthread_cond_wait)>("pthread_cond_wait");
  Scheduler* scheduler = Inside();
  if (scheduler == nullptr) return real(condition, mutex);
  return tidemark::sim::WaitUntil(scheduler, condition, mutex, nullptr);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           clockid_t clock, const timespec* time) {
  static const auto real =
      Real<decltype(&pthread_cond_clockwait)>("pthread_cond_clockwait");
  Scheduler* scheduler = Inside();
  if (scheduler == nullptr) return real(condition, mutex, clock, time);
  const Instant until = tidemark::sim::InstantOf(clock, *time);
  return tidemark::sim::WaitUntil(scheduler, condition, mutex, &until);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const timespec* time) {
  static const auto real =
      Real<decltype(&pthread_cond_timedwait)>("pthread_cond_timedwait");
  Scheduler* scheduler = Inside();
  if (scheduler == nullptr) return real(condition, mutex, time);
  const Instant until = tidemark::sim::InstantOf(CLOCK_REALTIME, *time);
  return tidemark::sim::WaitUntil(scheduler, condition, mutex, &until);
}

int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  static const auto real =
      Real<decltype(&pthread_cond_signal)>("pthread_cond_signal");
  Scheduler* scheduler = Scheduler::Current();
  if (scheduler == nullptr) return real(condition);
  scheduler->WakeOne(condition);
  return 0;
}

int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  static const auto real =
      Real<decltype(&pthread_cond_broadcast)>("pthread_cond_broadcast");
  Scheduler* scheduler = Scheduler::Current();
  if (scheduler == nullptr) return real(condition);
  scheduler->WakeAll(condition);
  return 0;
}

int nanosleep(const timespec* span, timespec* left) {
  static const auto real = Real<decltype(&nanosleep)>("nanosleep");
  Scheduler* scheduler = Inside();
  if (scheduler == nullptr) return real(span, left);
  scheduler->Sleep(std::chrono::seconds(span->tv_sec) +
                   std::chrono::nanoseconds(span->tv_nsec));
  return 0;
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto real = Real<decltype(&clock_gettime)>("clock_gettime");
  const Scheduler* scheduler = Scheduler::Current();
  if (scheduler == nullptr) return real(clock, time);
  const auto since =
      clock == CLOCK_REALTIME
          ? Duration(std::chrono::milliseconds(scheduler->WallMs()))
          : scheduler->Now().time_since_epoch();
  time->tv_sec = since / std::chrono::seconds(1);
  time->tv_nsec = (since % std::chrono::seconds(1)).count();
  return 0;
}

int gettimeofday(timeval* time, void* zone) noexcept {
  static const auto real = Real<decltype(&gettimeofday)>("gettimeofday");
  const Scheduler* scheduler = Scheduler::Current();
  if (scheduler == nullptr) return real(time, zone);
  const auto since = scheduler->Now().time_since_epoch();
  time->tv_sec = since / std::chrono::seconds(1);
  time->tv_usec =
      (since % std::chrono::seconds(1)) / std::chrono::microseconds(1);
  return 0;
}

}  // extern "C"
