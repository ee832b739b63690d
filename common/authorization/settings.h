#pragma once

#include <optional>
#include <span>

#include "common/authorization/authorizer.h"
#include "common/base/config.h"

namespace tidemark::authorization {

// Settings about what clients may do. Brokers act on them; controllers, who
// speak to no Kafka client, take the same files.
std::span<const ConfigKey> ConfigKeys();

// Of the authorizer that authorizer.class.name names; nullopt: none, and then
// none of its settings may be there. Error kInvalidConfig.
Result<std::optional<Authorizer::Options>> ReadSettings(const Config& config);

}  // namespace tidemark::authorization
