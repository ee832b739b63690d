#pragma once

#include "controller/metadata/view.h"
#include "proto/admin.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;

// Read-only answers about committed metadata; each thing once, however often
// the request names it.
admin_v1::DescribeTopicsResponse Describe(
    const View& view, const admin_v1::DescribeTopicsRequest& request);

admin_v1::DescribeConfigsResponse Describe(
    const View& view, const admin_v1::DescribeConfigsRequest& request);

// Of the types asked for, or of all: topics and brokers, and of groups and
// client metrics those that have settings.
admin_v1::ListConfigResourcesResponse Describe(
    const View& view, const admin_v1::ListConfigResourcesRequest& request);

// All but the active controller.
admin_v1::DescribeClusterResponse Describe(
    const View& view, const admin_v1::DescribeClusterRequest& request);

// Refuses what would be too much of an answer for the thread that also sends
// the heartbeats of the quorum. kPolicyViolation.
Status CheckSize(const admin_v1::DescribeTopicsRequest& request);
Status CheckSize(const admin_v1::DescribeConfigsRequest& request);
Status CheckSize(const admin_v1::DescribeClusterRequest& request);
Status CheckSize(const admin_v1::ListConfigResourcesRequest& request);

// Topics of the system itself, e.g. __consumer_offsets.
bool IsInternalTopic(const std::string& name);

struct Counts {
  int64_t topics = 0, partitions = 0;
  int64_t offline = 0;           // without a leader
  int64_t under_replicated = 0;  // ISR smaller than the replica set
  int64_t not_preferred = 0;     // led by another than the first replica
  int64_t moving = 0;            // to other brokers
  int64_t active_brokers = 0, fenced_brokers = 0;
};
Counts Count(const metadata::Image& image);

}  // namespace tidemark::controller
