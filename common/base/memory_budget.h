#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "common/base/executor.h"

namespace tidemark {

// A bound on bytes that many hold for a while: requests in flight, answers not
// yet sent. Who finds it used up waits in a queue; nobody is refused.
//
// Whoever has begun may have to go on in order to ever give anything back, as
// with half a request. So that they do not all wait for each other, the head
// of the queue may overdraw, one lease at a time, by as much as it needs. Use
// therefore stays below the limit, and one request, and what Charge takes.
//
// Any thread.
class MemoryBudget : public std::enable_shared_from_this<MemoryBudget> {
 public:
  // A share of the budget, given back when it goes. Used by one thread at a
  // time. Default-constructed and moved-from leases count nothing.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept { *this = std::move(other); }
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { Release(); }

    // Takes more if there is more and nobody waits; all of it or nothing.
    bool Take(size_t bytes);
    // Takes more in any case: the memory is in use, or must not wait.
    void Charge(size_t bytes);
    // Takes more when there is more, in turn; then runs `ready` on `on`, which
    // outlives the lease. Not while it waits already.
    void TakeLater(size_t bytes, Executor& on, std::function<void()> ready);
    // Whether TakeLater has not taken yet.
    bool IsWaiting();
    // Takes no more later. What has been taken by now it has, and `ready` may
    // still run.
    void StopWaiting();
    void Give(size_t bytes);
    void Release();
    size_t bytes();

   private:
    friend class MemoryBudget;
    explicit Lease(std::shared_ptr<MemoryBudget> of) : of_(std::move(of)) {}
    void Collect();

    std::shared_ptr<MemoryBudget> of_;
    size_t bytes_ = 0;
    bool overdraws_ = false;
    std::shared_ptr<struct MemoryTicket> ticket_;  // of TakeLater
  };

  static std::shared_ptr<MemoryBudget> Make(size_t limit) {
    return std::shared_ptr<MemoryBudget>(new MemoryBudget(limit));
  }
  Lease NewLease() { return Lease(shared_from_this()); }

  size_t limit() const { return limit_; }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  // The most there ever was in use.
  size_t peak() const { return peak_.load(std::memory_order_relaxed); }
  // How many wait: then who makes no use of its share should let go of it.
  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  explicit MemoryBudget(size_t limit) : limit_(limit) {}
  void Add(size_t bytes);
  void NotePeak(size_t now);
  bool TryAdd(size_t bytes);
  void Return(size_t bytes, bool ends_overdraft);
  void Serve();

  const size_t limit_;
  std::atomic<size_t> used_ = 0;
  std::atomic<size_t> peak_ = 0;
  std::atomic<size_t> waiting_ = 0;  // queue_.size()
  std::mutex mutex_;
  // Guarded by mutex_; so is what is in the tickets.
  std::deque<std::shared_ptr<MemoryTicket>> queue_;
  bool overdrawn_ = false;
};

}  // namespace tidemark
