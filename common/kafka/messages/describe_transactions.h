#pragma once

#include "common/kafka/message.h"

// States of transactional ids (KIP-664).
namespace tidemark::kafka {

struct DescribeTransactionsRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeTransactions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  std::vector<std::string> transactional_ids;

  bool operator==(const DescribeTransactionsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("transactional_ids", self.transactional_ids);
  }
};

struct DescribeTransactionsResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeTransactions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct TopicData {
    std::string topic;
    std::vector<int32_t> partitions;

    bool operator==(const TopicData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic);
      visit("partitions", self.partitions);
    }
  };

  struct TransactionState {
    int16_t error_code = 0;
    std::string transactional_id;
    std::string transaction_state;
    int32_t transaction_timeout_ms = 0;
    int64_t transaction_start_time_ms = 0;
    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    std::vector<TopicData> topics;

    bool operator==(const TransactionState&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("error_code", self.error_code);
      visit("transactional_id", self.transactional_id);
      visit("transaction_state", self.transaction_state);
      visit("transaction_timeout_ms", self.transaction_timeout_ms);
      visit("transaction_start_time_ms", self.transaction_start_time_ms);
      visit("producer_id", self.producer_id);
      visit("producer_epoch", self.producer_epoch);
      visit("topics", self.topics);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TransactionState> transaction_states;

  bool operator==(const DescribeTransactionsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("transaction_states", self.transaction_states);
  }
};

}  // namespace tidemark::kafka
