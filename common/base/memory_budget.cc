#include "common/base/memory_budget.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tidemark {

// One that waits, from TakeLater until its lease has seen the outcome.
struct MemoryTicket {
  size_t want = 0;
  Executor* on = nullptr;
  std::function<void()> ready;
  bool granted = false;
  bool overdraws = false;
};

MemoryBudget::Lease& MemoryBudget::Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  Release();
  of_ = std::move(other.of_);
  bytes_ = std::exchange(other.bytes_, 0);
  overdraws_ = std::exchange(other.overdraws_, false);
  ticket_ = std::move(other.ticket_);
  return *this;
}

bool MemoryBudget::Lease::Take(size_t bytes) {
  if (of_ == nullptr) return true;
  Collect();
  if (overdraws_) {
    of_->Add(bytes);
  } else if (of_->waiting_.load() > 0 || !of_->TryAdd(bytes)) {
    return false;
  }
  bytes_ += bytes;
  return true;
}

void MemoryBudget::Lease::Charge(size_t bytes) {
  if (of_ == nullptr) return;
  of_->Add(bytes);
  bytes_ += bytes;
}

void MemoryBudget::Lease::TakeLater(size_t bytes, Executor& on,
                                    std::function<void()> ready) {
  if (of_ == nullptr) return on.Post(std::move(ready));
  ticket_ = std::make_shared<MemoryTicket>();
  ticket_->want = bytes;
  ticket_->on = &on;
  ticket_->ready = std::move(ready);
  {
    std::lock_guard lock(of_->mutex_);
    of_->queue_.push_back(ticket_);
    of_->waiting_ = of_->queue_.size();
  }
  of_->Serve();
}

bool MemoryBudget::Lease::IsWaiting() {
  Collect();
  return ticket_ != nullptr;
}

size_t MemoryBudget::Lease::bytes() {
  Collect();
  return bytes_;
}

// What was granted meanwhile.
void MemoryBudget::Lease::Collect() {
  if (ticket_ == nullptr) return;
  std::lock_guard lock(of_->mutex_);
  if (!ticket_->granted) return;
  bytes_ += ticket_->want;
  overdraws_ |= ticket_->overdraws;
  ticket_.reset();
}

void MemoryBudget::Lease::StopWaiting() {
  // What `ready` holds goes after the lock is given up: it may be a lease.
  const std::shared_ptr<MemoryTicket> ticket = std::move(ticket_);
  if (ticket == nullptr) return;
  {
    std::lock_guard lock(of_->mutex_);
    if (ticket->granted) {
      bytes_ += ticket->want;
      overdraws_ |= ticket->overdraws;
    } else {
      std::erase(of_->queue_, ticket);
      of_->waiting_ = of_->queue_.size();
    }
  }
  // There may be enough for who is first now.
  if (of_->waiting_.load() > 0) of_->Serve();
}

void MemoryBudget::Lease::Give(size_t bytes) {
  if (of_ == nullptr || bytes == 0) return;
  bytes_ -= bytes;
  of_->Return(bytes, false);
}

void MemoryBudget::Lease::Release() {
  if (of_ == nullptr) return;
  StopWaiting();
  of_->Return(std::exchange(bytes_, 0), std::exchange(overdraws_, false));
}

void MemoryBudget::Add(size_t bytes) {
  NotePeak(used_.fetch_add(bytes) + bytes);
}

void MemoryBudget::NotePeak(size_t now) {
  size_t peak = peak_.load(std::memory_order_relaxed);
  while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
  }
}

bool MemoryBudget::TryAdd(size_t bytes) {
  size_t now = used_.load();
  do {
    if (now > limit_ || bytes > limit_ - now) return false;
  } while (!used_.compare_exchange_weak(now, now + bytes));
  NotePeak(now + bytes);
  return true;
}

void MemoryBudget::Return(size_t bytes, bool ends_overdraft) {
  used_.fetch_sub(bytes);
  if (ends_overdraft) {
    std::lock_guard lock(mutex_);
    overdrawn_ = false;
  }
  if (ends_overdraft || waiting_.load() > 0) Serve();
}

// Grants in the order of the queue, as far as there is memory.
void MemoryBudget::Serve() {
  std::vector<std::shared_ptr<MemoryTicket>> told;
  {
    std::lock_guard lock(mutex_);
    while (!queue_.empty()) {
      MemoryTicket& first = *queue_.front();
      if (!TryAdd(first.want)) {
        if (overdrawn_) break;
        overdrawn_ = first.overdraws = true;
        Add(first.want);
      }
      first.granted = true;
      told.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    waiting_ = queue_.size();
    // Still under the lock: a lease that goes now waits, and so does the
    // executor that outlives it.
    for (auto& ticket : told) ticket->on->Post(std::move(ticket->ready));
  }
}

}  // namespace tidemark
