#pragma once

#include <map>

#include "controller/metadata/view.h"
#include "proto/admin.pb.h"

namespace tidemark::controller {

namespace admin_v1 = tidemark::admin::v1;

// Whether a topic may have these settings. Error kInvalidConfig; an unknown
// key is answered with the nearest known one.
Status CheckTopicConfigs(const std::map<std::string, std::string>& configs);

// Incremental changes, or all there is to be (`replace`), each resource whole
// or not at all. A broker resource named "" is the default of all brokers.
Decision<admin_v1::AlterConfigsResponse> Decide(
    const View& view, const admin_v1::AlterConfigsRequest& request);

}  // namespace tidemark::controller
