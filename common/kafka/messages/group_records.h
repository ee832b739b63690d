#pragma once

#include "common/kafka/message.h"

// Records of the topic __consumer_offsets (kafka group-coordinator). Each key
// and value has an int16 version in front, which for keys tells the kinds
// apart: 0 and 1 an offset, 2 a group's state. Use EncodeVersioned,
// PeekVersion and DecodeVersioned.
namespace tidemark::kafka {

struct OffsetCommitKey {
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = INT16_MAX;

  std::string group;
  std::string topic;
  int32_t partition = 0;

  bool operator==(const OffsetCommitKey&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group", self.group);
    visit("topic", self.topic);
    visit("partition", self.partition);
  }
};

struct OffsetCommitValue {
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 4;

  int64_t offset = 0;
  int32_t leader_epoch = -1;
  std::string metadata;
  int64_t commit_timestamp = 0;
  int64_t expire_timestamp = -1;
  Uuid topic_id;

  bool operator==(const OffsetCommitValue&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("offset", self.offset);
    visit("leader_epoch", self.leader_epoch, Since(3));
    visit("metadata", self.metadata);
    visit("commit_timestamp", self.commit_timestamp);
    visit("expire_timestamp", self.expire_timestamp, Since(1).Until(1));
    visit("topic_id", self.topic_id, Tagged(0, 4));
  }
};

struct GroupMetadataKey {
  static constexpr int16_t kMinVersion = 2;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = INT16_MAX;

  std::string group;

  bool operator==(const GroupMetadataKey&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group", self.group);
  }
};

struct GroupMetadataValue {
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 4;
  static constexpr int16_t kFirstFlexible = 4;

  struct MemberMetadata {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    int32_t rebalance_timeout = -1;
    int32_t session_timeout = 0;
    SharedBytes subscription;
    SharedBytes assignment;

    bool operator==(const MemberMetadata&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("member_id", self.member_id);
      visit("group_instance_id", self.group_instance_id, Since(3));
      visit("client_id", self.client_id);
      visit("client_host", self.client_host);
      visit("rebalance_timeout", self.rebalance_timeout, Since(1));
      visit("session_timeout", self.session_timeout);
      visit("subscription", self.subscription);
      visit("assignment", self.assignment);
    }
  };

  std::string protocol_type;
  int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  int64_t current_state_timestamp = -1;
  std::vector<MemberMetadata> members;

  bool operator==(const GroupMetadataValue&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("protocol_type", self.protocol_type);
    visit("generation", self.generation);
    visit("protocol", self.protocol);
    visit("leader", self.leader);
    visit("current_state_timestamp", self.current_state_timestamp, Since(2));
    visit("members", self.members);
  }
};

}  // namespace tidemark::kafka
