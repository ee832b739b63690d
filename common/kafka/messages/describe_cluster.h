#pragma once

#include "common/kafka/message.h"

// Brokers and the cluster's id (KIP-700).
namespace tidemark::kafka {

struct DescribeClusterRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeCluster;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 0;

  bool include_cluster_authorized_operations = false;
  int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;

  bool operator==(const DescribeClusterRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("include_cluster_authorized_operations",
          self.include_cluster_authorized_operations);
    visit("endpoint_type", self.endpoint_type, Since(1));
    visit("include_fenced_brokers", self.include_fenced_brokers, Since(2));
  }
};

struct DescribeClusterResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeCluster;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 2;
  static constexpr int16_t kFirstFlexible = 0;

  struct DescribeClusterBroker {
    int32_t broker_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    bool is_fenced = false;

    bool operator==(const DescribeClusterBroker&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("broker_id", self.broker_id);
      visit("host", self.host);
      visit("port", self.port);
      visit("rack", self.rack);
      visit("is_fenced", self.is_fenced, Since(2));
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  int8_t endpoint_type = 1;
  std::string cluster_id;
  int32_t controller_id = -1;
  std::vector<DescribeClusterBroker> brokers;
  int32_t cluster_authorized_operations = INT32_MIN;

  bool operator==(const DescribeClusterResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
    visit("endpoint_type", self.endpoint_type, Since(1));
    visit("cluster_id", self.cluster_id);
    visit("controller_id", self.controller_id);
    visit("brokers", self.brokers);
    visit("cluster_authorized_operations", self.cluster_authorized_operations);
  }
};

}  // namespace tidemark::kafka
