#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace tidemark::coordinator {

// What all groups and transactional ids of a broker take in memory, and how
// much that may be. Growth
// beyond it is refused; what is in a log already is counted and never refused.
// Any thread.
class CoordinatorMemory {
 public:
  explicit CoordinatorMemory(size_t limit = SIZE_MAX) : limit_(limit) {}
  CoordinatorMemory(const CoordinatorMemory&) = delete;
  CoordinatorMemory& operator=(const CoordinatorMemory&) = delete;

  size_t limit() const { return limit_; }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  // Whether it may grow by so much; counts refusals, takes nothing.
  bool Admit(size_t growth) {
    const size_t now = used();
    if (growth == 0 || (now <= limit_ && growth <= limit_ - now)) return true;
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }

  // What one holder takes, given back when it goes. One thread at a time.
  class Share {
   public:
    // nullptr: nobody counts.
    explicit Share(std::shared_ptr<CoordinatorMemory> of)
        : of_(std::move(of)) {}
    Share(Share&& other) noexcept
        : of_(other.of_), bytes_(std::exchange(other.bytes_, 0)) {}
    ~Share() { Set(0); }

    void Set(size_t bytes) {
      if (of_ == nullptr || bytes == bytes_) return;
      // Modulo 2^64 less is more, too.
      of_->used_.fetch_add(bytes - bytes_, std::memory_order_relaxed);
      bytes_ = bytes;
    }
    bool Admit(size_t growth) { return of_ == nullptr || of_->Admit(growth); }

   private:
    std::shared_ptr<CoordinatorMemory> of_;
    size_t bytes_ = 0;
  };

 private:
  const size_t limit_;
  std::atomic<size_t> used_ = 0;
  std::atomic<uint64_t> refused_ = 0;
};

}  // namespace tidemark::coordinator
