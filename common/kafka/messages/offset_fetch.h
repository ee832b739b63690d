#pragma once

#include "common/kafka/message.h"

// Reads a group's offsets; several groups from version 8 on. A null `topics`
// asks for all of them.
namespace tidemark::kafka {

struct OffsetFetchRequest {
  static constexpr ApiKey kKey = ApiKey::kOffsetFetch;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 9;
  static constexpr int16_t kFirstFlexible = 6;

  struct OffsetFetchRequestTopic {
    std::string name;
    std::vector<int32_t> partition_indexes;

    bool operator==(const OffsetFetchRequestTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name, Until(7));
      visit("partition_indexes", self.partition_indexes, Until(7));
    }
  };

  struct OffsetFetchRequestTopics {
    std::string name;
    std::vector<int32_t> partition_indexes;

    bool operator==(const OffsetFetchRequestTopics&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partition_indexes", self.partition_indexes);
    }
  };

  struct OffsetFetchRequestGroup {
    std::string group_id;
    std::optional<std::string> member_id;
    int32_t member_epoch = -1;
    std::optional<std::vector<OffsetFetchRequestTopics>> topics;

    bool operator==(const OffsetFetchRequestGroup&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("group_id", self.group_id);
      visit("member_id", self.member_id, Since(9));
      visit("member_epoch", self.member_epoch, Since(9));
      visit("topics", self.topics);
    }
  };

  std::string group_id;
  std::optional<std::vector<OffsetFetchRequestTopic>> topics;
  std::vector<OffsetFetchRequestGroup> groups;
  bool require_stable = false;

  bool operator==(const OffsetFetchRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("group_id", self.group_id, Until(7));
    visit("topics", self.topics, Until(7).NullableSince(2));
    visit("groups", self.groups, Since(8));
    visit("require_stable", self.require_stable, Since(7));
  }
};

struct OffsetFetchResponse {
  static constexpr ApiKey kKey = ApiKey::kOffsetFetch;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 9;
  static constexpr int16_t kFirstFlexible = 6;

  struct OffsetFetchResponsePartition {
    int32_t partition_index = 0;
    int64_t committed_offset = 0;
    int32_t committed_leader_epoch = -1;
    std::optional<std::string> metadata;
    int16_t error_code = 0;

    bool operator==(const OffsetFetchResponsePartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index, Until(7));
      visit("committed_offset", self.committed_offset, Until(7));
      visit("committed_leader_epoch", self.committed_leader_epoch,
            Since(5).Until(7));
      visit("metadata", self.metadata, Until(7));
      visit("error_code", self.error_code, Until(7));
    }
  };

  struct OffsetFetchResponseTopic {
    std::string name;
    std::vector<OffsetFetchResponsePartition> partitions;

    bool operator==(const OffsetFetchResponseTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name, Until(7));
      visit("partitions", self.partitions, Until(7));
    }
  };

  struct OffsetFetchResponsePartitions {
    int32_t partition_index = 0;
    int64_t committed_offset = 0;
    int32_t committed_leader_epoch = -1;
    std::optional<std::string> metadata;
    int16_t error_code = 0;

    bool operator==(const OffsetFetchResponsePartitions&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("committed_offset", self.committed_offset);
      visit("committed_leader_epoch", self.committed_leader_epoch);
      visit("metadata", self.metadata);
      visit("error_code", self.error_code);
    }
  };

  struct OffsetFetchResponseTopics {
    std::string name;
    std::vector<OffsetFetchResponsePartitions> partitions;

    bool operator==(const OffsetFetchResponseTopics&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  struct OffsetFetchResponseGroup {
    std::string group_id;
    std::vector<OffsetFetchResponseTopics> topics;
    int16_t error_code = 0;

    bool operator==(const OffsetFetchResponseGroup&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("group_id", self.group_id);
      visit("topics", self.topics);
      visit("error_code", self.error_code);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<OffsetFetchResponseTopic> topics;
  int16_t error_code = 0;
  std::vector<OffsetFetchResponseGroup> groups;

  bool operator==(const OffsetFetchResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms, Since(3));
    visit("topics", self.topics, Until(7));
    visit("error_code", self.error_code, Since(2).Until(7));
    visit("groups", self.groups, Since(8));
  }
};

}  // namespace tidemark::kafka
