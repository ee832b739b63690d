#pragma once

#include "common/kafka/message.h"

// Moves replicas between the log directories of the broker that is asked
// (KIP-113).
namespace tidemark::kafka {

struct AlterReplicaLogDirsRequest {
  static constexpr ApiKey kKey = ApiKey::kAlterReplicaLogDirs;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  struct AlterReplicaLogDirTopic {
    std::string name;
    std::vector<int32_t> partitions;

    bool operator==(const AlterReplicaLogDirTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("partitions", self.partitions);
    }
  };

  struct AlterReplicaLogDir {
    std::string path;
    std::vector<AlterReplicaLogDirTopic> topics;

    bool operator==(const AlterReplicaLogDir&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("path", self.path);
      visit("topics", self.topics);
    }
  };

  std::vector<AlterReplicaLogDir> dirs;

  bool operator==(const AlterReplicaLogDirsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("dirs", self.dirs);
  }
};

struct AlterReplicaLogDirsResponse {
  static constexpr ApiKey kKey = ApiKey::kAlterReplicaLogDirs;
  static constexpr int16_t kMinVersion = 1;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 2;

  struct AlterReplicaLogDirPartitionResult {
    int32_t partition_index = 0;
    int16_t error_code = 0;

    bool operator==(const AlterReplicaLogDirPartitionResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
    }
  };

  struct AlterReplicaLogDirTopicResult {
    std::string topic_name;
    std::vector<AlterReplicaLogDirPartitionResult> partitions;

    bool operator==(const AlterReplicaLogDirTopicResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic_name", self.topic_name);
      visit("partitions", self.partitions);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AlterReplicaLogDirTopicResult> results;

  bool operator==(const AlterReplicaLogDirsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("results", self.results);
  }
};

}  // namespace tidemark::kafka
