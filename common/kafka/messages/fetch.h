#pragma once

#include "common/kafka/message.h"

// Reads batches, for consumers and for following replicas. Sessions: KIP-227;
// diverging epochs: KIP-595; leader hints: KIP-951. Six fields are tidemark's
// own: `flushed_offset`, what the asking replica has on disk;
// `forgotten` and `begin_anew`, see broker/log/forgotten.h;
// `wants_committed`, whether consumers read there, who wait for its high
// watermark; `ends_wait`, see FetchLoop; `keep_start`, a start that a replica
// is to have on disk before it says that its log starts there. Records default
// to empty, not to null, which breaks librdkafka (KAFKA-18646).
namespace tidemark::kafka {

struct FetchRequest {
  static constexpr ApiKey kKey = ApiKey::kFetch;
  static constexpr int16_t kMinVersion = 4;
  static constexpr int16_t kMaxVersion = 17;
  static constexpr int16_t kFirstFlexible = 12;

  struct ReplicaState {
    int32_t replica_id = -1;
    int64_t replica_epoch = -1;

    bool operator==(const ReplicaState&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("replica_id", self.replica_id);
      visit("replica_epoch", self.replica_epoch);
    }
  };

  // A fetch of the same follower that waits, or is still on its way.
  struct Waiting {
    int32_t session_id = 0;  // 0: none
    int32_t session_epoch = 0;

    bool operator==(const Waiting&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("session_id", self.session_id);
      visit("session_epoch", self.session_epoch);
    }
  };

  struct FetchPartition {
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int64_t fetch_offset = 0;
    int32_t last_fetched_epoch = -1;
    int64_t log_start_offset = -1;
    int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    int64_t flushed_offset = -1;
    bool wants_committed = false;
    int64_t forgotten = -1;

    bool operator==(const FetchPartition&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition", self.partition);
      visit("current_leader_epoch", self.current_leader_epoch, Since(9));
      visit("fetch_offset", self.fetch_offset);
      visit("last_fetched_epoch", self.last_fetched_epoch, Since(12));
      visit("log_start_offset", self.log_start_offset, Since(5));
      visit("partition_max_bytes", self.partition_max_bytes);
      visit("replica_directory_id", self.replica_directory_id, Tagged(0, 17));
      visit("flushed_offset", self.flushed_offset,
            Tagged(20001, 12).Default(-1));
      visit("wants_committed", self.wants_committed, Tagged(20003, 12));
      visit("forgotten", self.forgotten, Tagged(20004, 12).Default(-1));
    }
  };

  struct FetchTopic {
    std::string topic;
    Uuid topic_id;
    std::vector<FetchPartition> partitions;

    bool operator==(const FetchTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic, Until(12));
      visit("topic_id", self.topic_id, Since(13));
      visit("partitions", self.partitions);
    }
  };

  struct ForgottenTopic {
    std::string topic;
    Uuid topic_id;
    std::vector<int32_t> partitions;

    bool operator==(const ForgottenTopic&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic, Until(12));
      visit("topic_id", self.topic_id, Since(13));
      visit("partitions", self.partitions);
    }
  };

  std::optional<std::string> cluster_id;
  int32_t replica_id = -1;
  ReplicaState replica_state;
  Waiting ends_wait;
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  int32_t max_bytes = INT32_MAX;
  int8_t isolation_level = 0;
  int32_t session_id = 0;
  int32_t session_epoch = -1;
  std::vector<FetchTopic> topics;
  std::vector<ForgottenTopic> forgotten_topics_data;
  std::string rack_id;

  bool operator==(const FetchRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("cluster_id", self.cluster_id, Tagged(0, 12));
    visit("replica_id", self.replica_id, Until(14));
    visit("replica_state", self.replica_state, Tagged(1, 15));
    visit("ends_wait", self.ends_wait, Tagged(20002, 15));
    visit("max_wait_ms", self.max_wait_ms);
    visit("min_bytes", self.min_bytes);
    visit("max_bytes", self.max_bytes);
    visit("isolation_level", self.isolation_level);
    visit("session_id", self.session_id, Since(7));
    visit("session_epoch", self.session_epoch, Since(7));
    visit("topics", self.topics);
    visit("forgotten_topics_data", self.forgotten_topics_data, Since(7));
    visit("rack_id", self.rack_id, Since(11));
  }
};

struct FetchResponse {
  static constexpr ApiKey kKey = ApiKey::kFetch;
  static constexpr int16_t kMinVersion = 4;
  static constexpr int16_t kMaxVersion = 17;
  static constexpr int16_t kFirstFlexible = 12;

  struct EpochEndOffset {
    int32_t epoch = -1;
    int64_t end_offset = -1;

    bool operator==(const EpochEndOffset&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("epoch", self.epoch);
      visit("end_offset", self.end_offset);
    }
  };

  struct LeaderIdAndEpoch {
    int32_t leader_id = -1;
    int32_t leader_epoch = -1;

    bool operator==(const LeaderIdAndEpoch&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("leader_id", self.leader_id);
      visit("leader_epoch", self.leader_epoch);
    }
  };

  struct SnapshotId {
    int64_t end_offset = -1;
    int32_t epoch = -1;

    bool operator==(const SnapshotId&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("end_offset", self.end_offset);
      visit("epoch", self.epoch);
    }
  };

  struct AbortedTransaction {
    int64_t producer_id = 0;
    int64_t first_offset = 0;

    bool operator==(const AbortedTransaction&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("producer_id", self.producer_id);
      visit("first_offset", self.first_offset);
    }
  };

  struct BeginAnew {
    int64_t below = 0;
    int64_t id = 0;  // 0: no

    bool operator==(const BeginAnew&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("below", self.below);
      visit("id", self.id);
    }
  };

  struct PartitionData {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    int64_t high_watermark = 0;
    int64_t last_stable_offset = -1;
    int64_t log_start_offset = -1;
    EpochEndOffset diverging_epoch;
    LeaderIdAndEpoch current_leader;
    SnapshotId snapshot_id;
    std::optional<std::vector<AbortedTransaction>> aborted_transactions;
    int32_t preferred_read_replica = -1;
    int64_t keep_start = -1;
    BeginAnew begin_anew;
    std::optional<Payload> records = Payload();

    bool operator==(const PartitionData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("partition_index", self.partition_index);
      visit("error_code", self.error_code);
      visit("high_watermark", self.high_watermark);
      visit("last_stable_offset", self.last_stable_offset);
      visit("log_start_offset", self.log_start_offset, Since(5));
      visit("diverging_epoch", self.diverging_epoch, Tagged(0, 12));
      visit("current_leader", self.current_leader, Tagged(1, 12));
      visit("snapshot_id", self.snapshot_id, Tagged(2, 12));
      visit("aborted_transactions", self.aborted_transactions);
      visit("preferred_read_replica", self.preferred_read_replica, Since(11));
      visit("keep_start", self.keep_start, Tagged(20001, 12).Default(-1));
      visit("begin_anew", self.begin_anew, Tagged(20002, 12));
      visit("records", self.records);
    }
  };

  struct FetchableTopicResponse {
    std::string topic;
    Uuid topic_id;
    std::vector<PartitionData> partitions;

    bool operator==(const FetchableTopicResponse&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("topic", self.topic, Until(12));
      visit("topic_id", self.topic_id, Since(13));
      visit("partitions", self.partitions);
    }
  };

  struct NodeEndpoint {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;

    bool operator==(const NodeEndpoint&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("node_id", self.node_id);
      visit("host", self.host);
      visit("port", self.port);
      visit("rack", self.rack);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t session_id = 0;
  std::vector<FetchableTopicResponse> responses;
  std::vector<NodeEndpoint> node_endpoints;

  bool operator==(const FetchResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code, Since(7));
    visit("session_id", self.session_id, Since(7));
    visit("responses", self.responses);
    visit("node_endpoints", self.node_endpoints, Tagged(0, 16));
  }
};

}  // namespace tidemark::kafka
