#pragma once

#include "common/kafka/message.h"

// A producer id for an idempotent producer (KIP-98, KIP-360).
namespace tidemark::kafka {

struct InitProducerIdRequest {
  static constexpr ApiKey kKey = ApiKey::kInitProducerId;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 2;

  std::optional<std::string> transactional_id;
  int32_t transaction_timeout_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;

  bool operator==(const InitProducerIdRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("transactional_id", self.transactional_id);
    visit("transaction_timeout_ms", self.transaction_timeout_ms);
    visit("producer_id", self.producer_id, Since(3));
    visit("producer_epoch", self.producer_epoch, Since(3));
  }
};

struct InitProducerIdResponse {
  static constexpr ApiKey kKey = ApiKey::kInitProducerId;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 2;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = 0;

  bool operator==(const InitProducerIdResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("producer_id", self.producer_id);
    visit("producer_epoch", self.producer_epoch);
  }
};

}  // namespace tidemark::kafka
