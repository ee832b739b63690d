#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tidemark::replication {

// Counters of a broker's replicas, for /metrics. Every shard has its own, on
// cache lines of its own, and writes them; anyone reads what they sum up to.
// Each is right on its own, together they are a blur.
struct alignas(64) Stats {
  using Counter = std::atomic<int64_t>;

  Stats() = default;
  Stats(const Stats& other) { *this += other; }
  Stats& operator=(const Stats&) = delete;
  Stats& operator+=(const Stats& other);

  Counter bytes_in{0};   // appended by producers
  Counter bytes_out{0};  // read by consumers
  Counter batches_in{0};
  Counter messages_in{0};
  Counter produce_requests{0};
  Counter fetch_requests{0};
  Counter fetch_visits{0};  // of partitions, by fetches
  Counter memory_reads{0};  // of those, what no segment was read for
  Counter failed_produces{0};
  Counter failed_fetches{0};
  Counter replication_bytes_in{0};   // fetched from leaders
  Counter replication_bytes_out{0};  // read by followers
  Counter isr_expands{0};
  Counter isr_shrinks{0};
  Counter truncations_below_high_watermark{0};  // B-12: unclean elections only
  Counter corrupt_reads{0};                     // of bytes on this disk
  Counter cold_reads{0};      // of what was not in memory, for a shard
  Counter cold_waits{0};      // a shard waited for them itself
  Counter fetch_sessions{0};  // open now

  // Gauges, kept up by the shards.
  Counter partitions{0};
  Counter leaders{0};
  Counter under_replicated{0};  // led here, |ISR| < |replicas|
  Counter under_min_isr{0};     // led here
  Counter offline{0};           // a failed log

  static void Add(Counter& counter, int64_t count) {
    counter.fetch_add(count, std::memory_order_relaxed);
  }
};

inline Stats& Stats::operator+=(const Stats& other) {
  static constexpr Counter Stats::*kAll[] = {
      &Stats::bytes_in,
      &Stats::bytes_out,
      &Stats::batches_in,
      &Stats::messages_in,
      &Stats::produce_requests,
      &Stats::fetch_requests,
      &Stats::fetch_visits,
      &Stats::memory_reads,
      &Stats::failed_produces,
      &Stats::failed_fetches,
      &Stats::replication_bytes_in,
      &Stats::replication_bytes_out,
      &Stats::isr_expands,
      &Stats::isr_shrinks,
      &Stats::truncations_below_high_watermark,
      &Stats::corrupt_reads,
      &Stats::cold_reads,
      &Stats::cold_waits,
      &Stats::fetch_sessions,
      &Stats::partitions,
      &Stats::leaders,
      &Stats::under_replicated,
      &Stats::under_min_isr,
      &Stats::offline,
  };
  static_assert(
      sizeof kAll / sizeof kAll[0] ==
          (offsetof(Stats, offline) + sizeof(Counter)) / sizeof(Counter),
      "a counter is not summed up");
  for (Counter Stats::*one : kAll) {
    Add(this->*one, (other.*one).load(std::memory_order_relaxed));
  }
  return *this;
}

}  // namespace tidemark::replication
