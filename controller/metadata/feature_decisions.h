#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/metadata/view.h"
#include "proto/admin.pb.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;
namespace rpc_v1 = tidemark::controller::v1;

// A node of the cluster and what it has said that it supports, if anything.
struct FeatureNode {
  NodeId id = kNoNode;
  bool controller = false;
  std::optional<FeatureRanges> said;
};

// What the controller knows about features besides the metadata.
struct FeatureFacts {
  std::vector<FeatureNode> nodes;  // all controllers and registered brokers
  bool voters_in_log = false;
  // Controllers that are to be added: what they support was looked at, and not
  // at the level to come.
  std::vector<NodeId> adding;
};

// Nothing is proposed that the cluster's metadata.version does not allow:
// kUnsupportedVersion, with what to do.
Status CheckLevels(const Records& records, const metadata::Image& state);

// Whether a node that has said so can be of the cluster (C-01):
// kUnsupportedVersion. `who`: "broker 3".
Status CheckSupports(const metadata::Image& state, const std::string& who,
                     const FeatureRanges& said);

// The metadata say what each broker supports.
bool RemembersFeatures(const metadata::Image& state);

// KIP-584: all updates or none. A level is raised when every node has said that
// it supports it, and lowered when nothing in the metadata needs the higher
// one.
Result<Decision<admin_v1::UpdateFeaturesResponse>> Decide(
    const View& view, const admin_v1::UpdateFeaturesRequest& request);

// What a new cluster is told to begin with, by feature.
using BootstrapLevels = std::map<std::string, int16_t>;

// The levels that a new cluster begins with, as soon as all its nodes support
// them; and what the quorum has come to by itself. Empty: nothing to do now.
// `bootstrap`: empty for a cluster that is not new.
Records DecideOwnFeatures(const View& view, const BootstrapLevels& bootstrap);

admin_v1::DescribeFeaturesResponse Describe(
    const View& view, const admin_v1::DescribeFeaturesRequest& request);
Status CheckSize(const admin_v1::DescribeFeaturesRequest& request);

// The first kind of record in the image that `level` does not allow; "" when
// there is none.
std::string KindAbove(const metadata::Image& state, int16_t level);

}  // namespace tidemark::controller
