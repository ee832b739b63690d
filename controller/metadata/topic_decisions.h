#pragma once

#include <functional>

#include "common/metadata/image.h"
#include "controller/metadata/decision.h"
#include "controller/metadata/placement.h"
#include "proto/admin.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;

// Where chance comes into the topic decisions.
struct Randomness {
  std::function<Uuid()> topic_id;
  RandomBelow below;
};

// C-21. Each topic whole or not at all, with its own code; all in one batch.
Decision<admin_v1::CreateTopicsResponse> DecideCreateTopics(
    const metadata::Image& state, const admin_v1::CreateTopicsRequest& request,
    const Settings& settings, const Randomness& random);

Decision<admin_v1::DeleteTopicsResponse> DecideDeleteTopics(
    const metadata::Image& state, const admin_v1::DeleteTopicsRequest& request);

// Grows topics; the new partitions get the replication factor of the first.
Decision<admin_v1::CreatePartitionsResponse> DecideCreatePartitions(
    const metadata::Image& state,
    const admin_v1::CreatePartitionsRequest& request, const Randomness& random);

}  // namespace tidemark::controller
