#pragma once

#include "common/kafka/message.h"

// Adds partitions to a transaction (KIP-98). From version 4 on brokers ask so:
// several transactions, or only whether the partitions are in them (KIP-890).
namespace tidemark::kafka {

struct AddPartitionsToTxnRequest {
  static constexpr ApiKey kKey = ApiKey::kAddPartitionsToTxn;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  struct AddPartitionsToTxnTopic {
    std::string name;
    std::vector<int32_t> partitions;

    bool operator==(const AddPartitionsToTxnTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  struct AddPartitionsToTxnTransaction {
    std::string transactional_id;
    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    bool verify_only = false;
    std::vector<AddPartitionsToTxnTopic> topics;

    bool operator==(const AddPartitionsToTxnTransaction&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("transactional_id", self.transactional_id);
      visit("producer_id", self.producer_id);
      visit("producer_epoch", self.producer_epoch);
      visit("verify_only", self.verify_only);
      visit("topics", self.topics);
    }
  };

  std::vector<AddPartitionsToTxnTransaction> transactions;
  std::string v3_and_below_transactional_id;
  int64_t v3_and_below_producer_id = 0;
  int16_t v3_and_below_producer_epoch = 0;
  std::vector<AddPartitionsToTxnTopic> v3_and_below_topics;

  bool operator==(const AddPartitionsToTxnRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("transactions", self.transactions, Since(4));
    visit("v3_and_below_transactional_id", self.v3_and_below_transactional_id,
          Until(3));
    visit("v3_and_below_producer_id", self.v3_and_below_producer_id, Until(3));
    visit("v3_and_below_producer_epoch", self.v3_and_below_producer_epoch,
          Until(3));
    visit("v3_and_below_topics", self.v3_and_below_topics, Until(3));
  }
};

struct AddPartitionsToTxnResponse {
  static constexpr ApiKey kKey = ApiKey::kAddPartitionsToTxn;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  struct AddPartitionsToTxnPartitionResult {
    int32_t partition_index = 0;
    int16_t partition_error_code = 0;

    bool operator==(const AddPartitionsToTxnPartitionResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("partition_error_code", self.partition_error_code);
    }
  };

  struct AddPartitionsToTxnTopicResult {
    std::string name;
    std::vector<AddPartitionsToTxnPartitionResult> results_by_partition;

    bool operator==(const AddPartitionsToTxnTopicResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("results_by_partition", self.results_by_partition);
    }
  };

  struct AddPartitionsToTxnResult {
    std::string transactional_id;
    std::vector<AddPartitionsToTxnTopicResult> topic_results;

    bool operator==(const AddPartitionsToTxnResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("transactional_id", self.transactional_id);
      visit("topic_results", self.topic_results);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<AddPartitionsToTxnResult> results_by_transaction;
  std::vector<AddPartitionsToTxnTopicResult> results_by_topic_v3_and_below;

  bool operator==(const AddPartitionsToTxnResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code, Since(4));
    visit("results_by_transaction", self.results_by_transaction, Since(4));
    visit("results_by_topic_v3_and_below", self.results_by_topic_v3_and_below,
          Until(3));
  }
};

}  // namespace tidemark::kafka
