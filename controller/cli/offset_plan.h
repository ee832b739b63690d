#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark::cli {

// Where the offsets of a group are to go: exactly one of them.
struct OffsetTarget {
  bool earliest = false;
  bool latest = false;
  bool current = false;                 // what it has, brought into range
  std::optional<int64_t> offset;        // this one
  std::optional<int64_t> shift;         // by so many, from what it has
  std::optional<int64_t> timestamp_ms;  // the first record not older
  std::vector<std::pair<TopicPartition, int64_t>> from_file;
};

// Of a partition: what it holds, and what the group has of it.
struct OffsetRange {
  int64_t start = 0, end = 0;
  int64_t committed = -1;               // -1: nothing
  std::optional<int64_t> at_timestamp;  // -1: no record is as new
};

// Where the group goes on; brought into what the partition holds, as Kafka's
// tool does. nullopt: the group stays where it is, it has nothing there.
std::optional<int64_t> PlannedOffset(const OffsetTarget& target,
                                     const OffsetRange& range);

// "orders" or "orders:0,2"; no partitions: all.
struct TopicScope {
  std::string topic;
  std::vector<int32_t> partitions;
};
Result<TopicScope> ParseScope(const std::string& text);

// ISO 8601: "2026-11-27T05:49:00.000", with an optional zone "Z" or "+01:00";
// without one it is UTC. Milliseconds since 1970.
Result<int64_t> ParseTime(const std::string& text);
// ISO 8601: "P1DT2H30M4S"; also "90m", "36h", "7d", "45s". Milliseconds.
Result<int64_t> ParseDuration(const std::string& text);
// Lines "topic,partition,offset", as Kafka's tool writes them with --export.
Result<std::vector<std::pair<TopicPartition, int64_t>>> ParseOffsetFile(
    const std::string& text);

}  // namespace tidemark::cli
