#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tidemark {

class Config;

// Not all of Kafka's encryption, authentication and authorization is there. A
// process that was told to use what is not must not start without: it would
// serve everybody what its file says is protected.

// Whether a setting of Kafka's asks for one of them. Its neutral values ("",
// "none", PLAINTEXT) do not.
bool AsksForSecurity(std::string_view key, std::string_view value);

// PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL or what else
// listener.security.protocol.map has for this listener, in upper case; names
// are in any case, as in Kafka. One without an entry is what its name says;
// nullopt when that is no protocol. Error kInvalidConfig: the map is none.
Result<std::optional<std::string>> ProtocolOfListener(
    const Config& config, std::string_view listener);

// How controllers are spoken to, by controller.listener.names and the map.
struct ControllerProtocol {
  std::string listener;
  bool tls = false;
  bool said = false;  // plaintext: somebody has written that it be so
};
// Error kInvalidConfig: it is neither PLAINTEXT nor SSL. REQUIRES: `config`
// knows both keys.
Result<ControllerProtocol> ProtocolOfControllers(const Config& config);

// Whoever can listen to the network reads, and may change, what goes over it
// in plaintext: beyond this machine that has to be said. `hosts`: to listen on
// or to connect to. Error kInvalidConfig, with what to set.
Status CheckPlaintextIsMeant(const ControllerProtocol& protocol,
                             std::span<const std::string> hosts);

}  // namespace tidemark
