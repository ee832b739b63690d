#pragma once

#include "common/kafka/message.h"

// Stores a group's offsets as a part of a transaction (KIP-98; version 3:
// KIP-447, which says who of the group asks; version 5: KIP-890, which adds the
// group to the transaction).
namespace tidemark::kafka {

struct TxnOffsetCommitRequest {
  static constexpr ApiKey kKey = ApiKey::kTxnOffsetCommit;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  struct TxnOffsetCommitRequestPartition {
    int32_t partition_index = 0;
    int64_t committed_offset = 0;
    int32_t committed_leader_epoch = -1;
    std::optional<std::string> committed_metadata;

    bool operator==(const TxnOffsetCommitRequestPartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("committed_offset", self.committed_offset);
      visit("committed_leader_epoch", self.committed_leader_epoch, Since(2));
      visit("committed_metadata", self.committed_metadata);
    }
  };

  struct TxnOffsetCommitRequestTopic {
    std::string name;
    std::vector<TxnOffsetCommitRequestPartition> partitions;

    bool operator==(const TxnOffsetCommitRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  std::string transactional_id;
  std::string group_id;
  int64_t producer_id = 0;
  int16_t producer_epoch = 0;
  int32_t generation_id_or_member_epoch = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::vector<TxnOffsetCommitRequestTopic> topics;

  bool operator==(const TxnOffsetCommitRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("transactional_id", self.transactional_id);
    visit("group_id", self.group_id);
    visit("producer_id", self.producer_id);
    visit("producer_epoch", self.producer_epoch);
    visit("generation_id_or_member_epoch", self.generation_id_or_member_epoch,
          Since(3));
    visit("member_id", self.member_id, Since(3));
    visit("group_instance_id", self.group_instance_id, Since(3));
    visit("topics", self.topics);
  }
};

struct TxnOffsetCommitResponse {
  static constexpr ApiKey kKey = ApiKey::kTxnOffsetCommit;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 5;
  static constexpr int16_t kFirstFlexible = 3;

  struct TxnOffsetCommitResponsePartition {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    bool operator==(const TxnOffsetCommitResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
    }
  };

  struct TxnOffsetCommitResponseTopic {
    std::string name;
    std::vector<TxnOffsetCommitResponsePartition> partitions;

    bool operator==(const TxnOffsetCommitResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<TxnOffsetCommitResponseTopic> topics;

  bool operator==(const TxnOffsetCommitResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("topics", self.topics);
  }
};

}  // namespace tidemark::kafka
