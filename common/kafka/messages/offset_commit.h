#pragma once

#include "common/kafka/message.h"

// Stores a group's offsets.
namespace tidemark::kafka {

struct OffsetCommitRequest {
  static constexpr ApiKey kKey = ApiKey::kOffsetCommit;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 9;
  static constexpr int16_t kFirstFlexible = 8;

  struct OffsetCommitRequestPartition {
    int32_t partition_index = 0;
    int64_t committed_offset = 0;
    int32_t committed_leader_epoch = -1;
    int64_t commit_timestamp = -1;
    std::optional<std::string> committed_metadata;

    bool operator==(const OffsetCommitRequestPartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("committed_offset", self.committed_offset);
      visit("committed_leader_epoch", self.committed_leader_epoch, Since(6));
      visit("commit_timestamp", self.commit_timestamp, Until(1));
      visit("committed_metadata", self.committed_metadata);
    }
  };

  struct OffsetCommitRequestTopic {
    std::string name;
    std::vector<OffsetCommitRequestPartition> partitions;

    bool operator==(const OffsetCommitRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  std::string group_id;
  int32_t generation_id_or_member_epoch = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  int64_t retention_time_ms = -1;
  std::vector<OffsetCommitRequestTopic> topics;

  bool operator==(const OffsetCommitRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group_id", self.group_id);
    visit("generation_id_or_member_epoch", self.generation_id_or_member_epoch);
    visit("member_id", self.member_id);
    visit("group_instance_id", self.group_instance_id, Since(7));
    visit("retention_time_ms", self.retention_time_ms, Since(2).Until(4));
    visit("topics", self.topics);
  }
};

struct OffsetCommitResponse {
  static constexpr ApiKey kKey = ApiKey::kOffsetCommit;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 9;
  static constexpr int16_t kFirstFlexible = 8;

  struct OffsetCommitResponsePartition {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    bool operator==(const OffsetCommitResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
    }
  };

  struct OffsetCommitResponseTopic {
    std::string name;
    std::vector<OffsetCommitResponsePartition> partitions;

    bool operator==(const OffsetCommitResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<OffsetCommitResponseTopic> topics;

  bool operator==(const OffsetCommitResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(3));
    visit("topics", self.topics);
  }
};

}  // namespace tidemark::kafka
