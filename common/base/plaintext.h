#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tidemark {

class Config;

// Encryption, authentication and authorization are not there yet. A process
// that was told to use them must not start without: it would serve everybody
// what its file says is protected.

// Whether a setting of Kafka's asks for one of them. Its neutral values ("",
// "none", PLAINTEXT) do not.
bool AsksForSecurity(std::string_view key, std::string_view value);

// Whether each of these listeners is PLAINTEXT in
// listener.security.protocol.map. A listener without an entry is what its name
// says, PLAINTEXT when that is no protocol. Error kInvalidConfig.
Status CheckPlaintext(const Config& config,
                      std::span<const std::string> listener_names);

}  // namespace tidemark
