#pragma once

#include "common/kafka/message.h"

// Takes a controller out of the quorum (KIP-853).
namespace tidemark::kafka {

struct RemoveRaftVoterRequest {
  static constexpr ApiKey kKey = ApiKey::kRemoveRaftVoter;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  std::optional<std::string> cluster_id;
  int32_t voter_id = 0;
  Uuid voter_directory_id;

  bool operator==(const RemoveRaftVoterRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("cluster_id", self.cluster_id);
    visit("voter_id", self.voter_id);
    visit("voter_directory_id", self.voter_directory_id);
  }
};

struct RemoveRaftVoterResponse {
  static constexpr ApiKey kKey = ApiKey::kRemoveRaftVoter;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;

  bool operator==(const RemoveRaftVoterResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
  }
};

}  // namespace tidemark::kafka
