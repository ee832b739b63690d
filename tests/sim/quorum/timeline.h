#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::sim {

// Numbers that depend on the seed and on nothing else (splitmix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t limit) { return Next() % limit; }
  uint64_t Between(uint64_t low, uint64_t high) {
    return low + Below(high - low + 1);
  }
  bool Chance(uint32_t percent) { return Below(100) < percent; }

 private:
  uint64_t state_;
};

// Folds text into a running digest (FNV-1a), so that runs can be compared.
inline uint64_t Fold(uint64_t digest, std::string_view text) {
  for (char c : text)
    digest = (digest ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  return digest;
}
inline uint64_t Fold(uint64_t digest, uint64_t number) {
  return (digest ^ number) * 1099511628211ull;
}
inline constexpr uint64_t kFoldStart = 14695981039346656037ull;

// Everything that is going to happen, in the order of its time, in microseconds
// from the beginning; what is for the same time, in the order it was asked for.
class Timeline {
 public:
  using Task = std::function<void()>;

  explicit Timeline(uint64_t seed) : random(seed) {}

  uint64_t now() const { return now_; }
  void At(uint64_t delay_us, Task run) {
    events_.push_back({now_ + delay_us, next_++, std::move(run)});
    std::push_heap(events_.begin(), events_.end());
  }
  bool empty() const { return events_.empty(); }
  void RunNext() {
    std::pop_heap(events_.begin(), events_.end());
    Event event = std::move(events_.back());
    events_.pop_back();
    now_ = event.at;
    event.run();
  }
  // What happened, for the digest.
  void Note(uint64_t what) { digest_ = Fold(Fold(digest_, now_), what); }
  uint64_t digest() const { return digest_; }

  Random random;

 private:
  struct Event {
    uint64_t at;
    uint64_t order;
    Task run;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  uint64_t now_ = 0, next_ = 0;
  uint64_t digest_ = kFoldStart;
  std::vector<Event> events_;
};

}  // namespace tidemark::sim
