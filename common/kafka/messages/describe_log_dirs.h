#pragma once

#include "common/kafka/message.h"

// Log directories of the broker that is asked, and the replicas in them
// (KIP-113, KIP-827).
namespace tidemark::kafka {

struct DescribeLogDirsRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeLogDirs;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 2;

  struct DescribableLogDirTopic {
    std::string topic;
    std::vector<int32_t> partitions;

    bool operator==(const DescribableLogDirTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic);
      visit("partitions", self.partitions);
    }
  };

  std::optional<std::vector<DescribableLogDirTopic>> topics;

  bool operator==(const DescribeLogDirsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("topics", self.topics);
  }
};

struct DescribeLogDirsResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeLogDirs;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 2;

  struct DescribeLogDirsPartition {
    int32_t partition_index = 0;
    int64_t partition_size = 0;
    int64_t offset_lag = 0;
    bool is_future_key = false;

    bool operator==(const DescribeLogDirsPartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("partition_size", self.partition_size);
      visit("offset_lag", self.offset_lag);
      visit("is_future_key", self.is_future_key);
    }
  };

  struct DescribeLogDirsTopic {
    std::string name;
    std::vector<DescribeLogDirsPartition> partitions;

    bool operator==(const DescribeLogDirsTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  struct DescribeLogDirsResult {
    int16_t error_code = 0;
    std::string log_dir;
    std::vector<DescribeLogDirsTopic> topics;
    int64_t total_bytes = -1;
    int64_t usable_bytes = -1;
    bool is_cordoned = false;

    bool operator==(const DescribeLogDirsResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("log_dir", self.log_dir);
      visit("topics", self.topics);
      visit("total_bytes", self.total_bytes, Since(4));
      visit("usable_bytes", self.usable_bytes, Since(4));
      visit("is_cordoned", self.is_cordoned, Since(5));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<DescribeLogDirsResult> results;

  bool operator==(const DescribeLogDirsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code, Since(3));
    visit("results", self.results);
  }
};

}  // namespace tidemark::kafka
