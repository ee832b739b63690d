#pragma once

#include "common/kafka/message.h"

// Adds the offsets of a group to a transaction (KIP-98).
namespace tidemark::kafka {

struct AddOffsetsToTxnRequest {
  static constexpr ApiKey kKey = ApiKey::kAddOffsetsToTxn;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 3;

  std::string transactional_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  std::string group_id;

  bool operator==(const AddOffsetsToTxnRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("transactional_id", self.transactional_id);
    visit("producer_id", self.producer_id);
    visit("producer_epoch", self.producer_epoch);
    visit("group_id", self.group_id);
  }
};

struct AddOffsetsToTxnResponse {
  static constexpr ApiKey kKey = ApiKey::kAddOffsetsToTxn;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 3;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;

  bool operator==(const AddOffsetsToTxnResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
  }
};

}  // namespace tidemark::kafka
