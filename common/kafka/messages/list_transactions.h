#pragma once

#include "common/kafka/message.h"

// Transactional ids of this broker, by state, producer and age (KIP-664,
// KIP-994).
namespace tidemark::kafka {

struct ListTransactionsRequest {
  static constexpr ApiKey kKey = ApiKey::kListTransactions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 0;

  std::vector<std::string> state_filters;
  std::vector<int64_t> producer_id_filters;
  int64_t duration_filter = -1;
  std::optional<std::string> transactional_id_pattern;

  bool operator==(const ListTransactionsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("state_filters", self.state_filters);
    visit("producer_id_filters", self.producer_id_filters);
    visit("duration_filter", self.duration_filter, Since(1));
    visit("transactional_id_pattern", self.transactional_id_pattern, Since(2));
  }
};

struct ListTransactionsResponse {
  static constexpr ApiKey kKey = ApiKey::kListTransactions;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 0;

  struct TransactionState {
    std::string transactional_id;
    int64_t producer_id = 0;
    std::string transaction_state;

    bool operator==(const TransactionState&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("transactional_id", self.transactional_id);
      visit("producer_id", self.producer_id);
      visit("transaction_state", self.transaction_state);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<std::string> unknown_state_filters;
  std::vector<TransactionState> transaction_states;

  bool operator==(const ListTransactionsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("unknown_state_filters", self.unknown_state_filters);
    visit("transaction_states", self.transaction_states);
  }
};

}  // namespace tidemark::kafka
