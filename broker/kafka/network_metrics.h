#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "common/base/clock.h"

namespace tidemark::server {

// Upper bounds of the latency buckets, in microseconds; one more for the rest.
inline constexpr std::array<int64_t, 15> kLatencyBucketsUs = {
    100,    250,     500,     1'000,   2'500,     5'000,     10'000,    25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 10'000'000};
inline constexpr int kMaxApiKey = 127;

// One API's requests since the start.
struct ApiMetrics {
  std::array<std::atomic<uint64_t>, kLatencyBucketsUs.size() + 1> buckets{};
  std::atomic<uint64_t> total_us = 0;
};

// Counters of the network layer. Any thread; every update is one relaxed
// addition, the rest is up to whoever reads.
struct NetworkMetrics {
  std::atomic<int64_t> connections = 0;  // open now
  std::atomic<uint64_t> accepted = 0;
  std::atomic<uint64_t> refused = 0;    // beyond max.connections[.per.ip]
  std::atomic<uint64_t> stalled = 0;    // closed for memory others waited for
  std::atomic<uint64_t> malformed = 0;  // connections closed for bad bytes
  std::atomic<uint64_t> handshakes_failed = 0;  // of TLS
  std::atomic<uint64_t> authentications = 0;
  std::atomic<uint64_t> reauthentications = 0;
  std::atomic<uint64_t> authentications_failed = 0;
  std::atomic<uint64_t> sessions_expired = 0;  // and closed for a request
  std::atomic<uint64_t> bytes_in = 0;          // of all requests
  std::atomic<uint64_t> bytes_out = 0;         // of all answers
  std::array<ApiMetrics, kMaxApiKey + 1> apis;

  void Observe(int16_t api_key, Duration latency) {
    if (api_key < 0 || api_key > kMaxApiKey) return;
    const int64_t us =
        std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
    size_t bucket = 0;
    while (bucket < kLatencyBucketsUs.size() && us > kLatencyBucketsUs[bucket])
      ++bucket;
    ApiMetrics& api = apis[static_cast<size_t>(api_key)];
    api.buckets[bucket].fetch_add(1, std::memory_order_relaxed);
    api.total_us.fetch_add(static_cast<uint64_t>(us),
                           std::memory_order_relaxed);
  }
};

}  // namespace tidemark::server
