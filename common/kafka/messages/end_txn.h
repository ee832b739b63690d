#pragma once

#include "common/kafka/message.h"

// Commits or aborts a transaction (KIP-98; version 5: KIP-890, which answers
// with the epoch of the next one).
namespace tidemark::kafka {

struct EndTxnRequest {
  static constexpr ApiKey kKey = ApiKey::kEndTxn;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  std::string transactional_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  bool committed = false;

  bool operator==(const EndTxnRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("transactional_id", self.transactional_id);
    visit("producer_id", self.producer_id);
    visit("producer_epoch", self.producer_epoch);
    visit("committed", self.committed);
  }
};

struct EndTxnResponse {
  static constexpr ApiKey kKey = ApiKey::kEndTxn;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;

  bool operator==(const EndTxnResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("producer_id", self.producer_id, Since(5));
    visit("producer_epoch", self.producer_epoch, Since(5));
  }
};

}  // namespace tidemark::kafka
