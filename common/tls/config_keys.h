#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "common/base/config.h"
#include "common/tls/context.h"

namespace tidemark::tls {

// Kafka's ssl.* settings, the same in the files of brokers and controllers.
std::span<const ConfigKey> ConfigKeys();

// What they say of this listener, those under listener.name.NAME. before the
// others. REQUIRES: `config` knows ConfigKeys().
Settings SettingsOf(const Config& config, std::string_view listener);

// Whoever has said how to protect must not be left unprotected: each of these
// settings belongs to one of the listeners that speak TLS, `spoken`, in lower
// case. Error kInvalidConfig.
Status CheckIsSpoken(const Config& config, const std::set<std::string>& spoken);

}  // namespace tidemark::tls
