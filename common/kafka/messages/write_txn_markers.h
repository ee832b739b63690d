#pragma once

#include "common/kafka/message.h"

// Ends transactions in partitions that the broker leads (KIP-98). Coordinators
// ask so, and an administrator who aborts a transaction (KIP-664).
namespace tidemark::kafka {

struct WriteTxnMarkersRequest {
  static constexpr ApiKey kKey = ApiKey::kWriteTxnMarkers;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 1;

  struct WritableTxnMarkerTopic {
    std::string name;
    std::vector<int32_t> partition_indexes;

    bool operator==(const WritableTxnMarkerTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partition_indexes", self.partition_indexes);
    }
  };

  struct WritableTxnMarker {
    int64_t producer_id = 0;
    int16_t producer_epoch = 0;
    bool transaction_result = false;
    std::vector<WritableTxnMarkerTopic> topics;
    int32_t coordinator_epoch = 0;
    int8_t transaction_version = 0;

    bool operator==(const WritableTxnMarker&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("producer_id", self.producer_id);
      visit("producer_epoch", self.producer_epoch);
      visit("transaction_result", self.transaction_result);
      visit("topics", self.topics);
      visit("coordinator_epoch", self.coordinator_epoch);
      visit("transaction_version", self.transaction_version, Since(2));
    }
  };

  std::vector<WritableTxnMarker> markers;

  bool operator==(const WriteTxnMarkersRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("markers", self.markers);
  }
};

struct WriteTxnMarkersResponse {
  static constexpr ApiKey kKey = ApiKey::kWriteTxnMarkers;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 1;

  struct WritableTxnMarkerPartitionResult {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    bool operator==(const WritableTxnMarkerPartitionResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
    }
  };

  struct WritableTxnMarkerTopicResult {
    std::string name;
    std::vector<WritableTxnMarkerPartitionResult> partitions;

    bool operator==(const WritableTxnMarkerTopicResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  struct WritableTxnMarkerResult {
    int64_t producer_id = 0;
    std::vector<WritableTxnMarkerTopicResult> topics;

    bool operator==(const WritableTxnMarkerResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("producer_id", self.producer_id);
      visit("topics", self.topics);
    }
  };

  std::vector<WritableTxnMarkerResult> markers;

  bool operator==(const WriteTxnMarkersResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("markers", self.markers);
  }
};

}  // namespace tidemark::kafka
