#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "common/metadata/image.h"
#include "controller/metadata/decision.h"
#include "controller/metadata/placement.h"

namespace tidemark::controller {

inline bool Contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Where chance comes into the decisions.
struct Randomness {
  std::function<Uuid()> topic_id;
  RandomBelow below;
};

// What the active controller knows of one broker besides the metadata.
struct BrokerFacts {
  // The broker registered now is unfenced and has been heard of in time, so
  // another process must not take its id (C-01).
  bool has_session = false;
  // Its feed is open, so it will hear of what it is to lead.
  bool connected = true;
  // Every other active broker has applied the batch that moved the leaders off
  // this one (C-06).
  bool leaders_moved_everywhere = false;
  // Its registration is not committed yet, and may still turn out otherwise.
  bool being_registered = false;
};

struct FeatureFacts;  // feature_decisions.h

// All that a decider looks at, beside the request. A decider is
//
//   Decision<Response> Decide(const View&, const Request&)
//
// or Result of it, where the call may fail as a whole and change nothing.
struct View {
  const metadata::Image& image;  // with what is proposed and not yet committed
  const Settings& settings;
  BrokerFacts broker = {};             // the one that the request names
  const Randomness* random = nullptr;  // REQUIRES: set, where topics are made
  const FeatureFacts* features = nullptr;  // REQUIRES: set, about features
  // Lost, and being fenced part by part: nothing moves to them meanwhile.
  // Sorted; null: none.
  const std::vector<NodeId>* leaving = nullptr;
};

}  // namespace tidemark::controller
