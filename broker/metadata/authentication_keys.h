#pragma once

#include <span>
#include <vector>

#include "broker/metadata/broker_config.h"

namespace tidemark {

// Kafka's settings of who clients are: those of SASL, and whom certificates
// stand for.
std::span<const ConfigKey> AuthenticationConfigKeys();

// Whoever has said who may come must not find the door open: each of them
// belongs to a listener with SASL, and each such listener has a mechanism.
// Error kInvalidConfig.
Status CheckSasl(const Config& config, const std::vector<Listener>& listeners);

}  // namespace tidemark
