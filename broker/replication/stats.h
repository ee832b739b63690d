#pragma once

#include <atomic>
#include <cstdint>

namespace tidemark::replication {

// Counters of one broker's replicas, for /metrics. Written by the shards,
// read by anyone; each is right on its own, together they are a blur.
struct Stats {
  using Counter = std::atomic<int64_t>;

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

}  // namespace tidemark::replication
