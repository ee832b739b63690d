#pragma once

#include "common/kafka/message.h"

// Records of the topic __transaction_state (kafka transaction-coordinator).
// Each key and value has an int16 version in front. Use EncodeVersioned,
// PeekVersion and DecodeVersioned.
namespace tidemark::kafka {

struct TransactionLogKey {
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = INT16_MAX;

  std::string transactional_id;

  bool operator==(const TransactionLogKey&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("transactional_id", self.transactional_id);
  }
};

struct TransactionLogValue {
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = 1;

  struct PartitionsSchema {
    std::string topic;
    std::vector<int32_t> partition_ids;

    bool operator==(const PartitionsSchema&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic);
      visit("partition_ids", self.partition_ids);
    }
  };

  int64_t producer_id = 0;
  int64_t previous_producer_id = -1;
  int64_t next_producer_id = -1;
  int16_t producer_epoch = 0;
  int16_t next_producer_epoch = -1;
  int32_t transaction_timeout_ms = 0;
  int8_t transaction_status = 0;
  std::optional<std::vector<PartitionsSchema>> transaction_partitions;
  int64_t transaction_last_update_timestamp_ms = 0;
  int64_t transaction_start_timestamp_ms = 0;
  int16_t client_transaction_version = 0;

  bool operator==(const TransactionLogValue&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("producer_id", self.producer_id);
    visit("previous_producer_id", self.previous_producer_id,
          Tagged(0, 1).Default(-1));
    visit("next_producer_id", self.next_producer_id, Tagged(1, 1).Default(-1));
    visit("producer_epoch", self.producer_epoch);
    visit("next_producer_epoch", self.next_producer_epoch,
          Tagged(3, 1).Default(-1));
    visit("transaction_timeout_ms", self.transaction_timeout_ms);
    visit("transaction_status", self.transaction_status);
    visit("transaction_partitions", self.transaction_partitions);
    visit("transaction_last_update_timestamp_ms",
          self.transaction_last_update_timestamp_ms);
    visit("transaction_start_timestamp_ms",
          self.transaction_start_timestamp_ms);
    visit("client_transaction_version", self.client_transaction_version,
          Tagged(2, 1));
  }
};

}  // namespace tidemark::kafka
