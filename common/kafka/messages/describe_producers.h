#pragma once

#include "common/kafka/message.h"

// Producers that partitions know of, and their open transactions (KIP-664).
namespace tidemark::kafka {

struct DescribeProducersRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeProducers;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct TopicRequest {
    std::string name;
    std::vector<int32_t> partition_indexes;

    bool operator==(const TopicRequest&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partition_indexes", self.partition_indexes);
    }
  };

  std::vector<TopicRequest> topics;

  bool operator==(const DescribeProducersRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("topics", self.topics);
  }
};

struct DescribeProducersResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeProducers;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct ProducerState {
    int64_t producer_id = 0;
    int32_t producer_epoch = 0;
    int32_t last_sequence = -1;
    int64_t last_timestamp = -1;
    int32_t coordinator_epoch = 0;
    int64_t current_txn_start_offset = -1;

    bool operator==(const ProducerState&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("producer_id", self.producer_id);
      visit("producer_epoch", self.producer_epoch);
      visit("last_sequence", self.last_sequence);
      visit("last_timestamp", self.last_timestamp);
      visit("coordinator_epoch", self.coordinator_epoch);
      visit("current_txn_start_offset", self.current_txn_start_offset);
    }
  };

  struct PartitionResponse {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::vector<ProducerState> active_producers;

    bool operator==(const PartitionResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
      visit("active_producers", self.active_producers);
    }
  };

  struct TopicResponse {
    std::string name;
    std::vector<PartitionResponse> partitions;

    bool operator==(const TopicResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TopicResponse> topics;

  bool operator==(const DescribeProducersResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("topics", self.topics);
  }
};

}  // namespace tidemark::kafka
