#include "common/base/plaintext.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>

#include "common/base/config.h"

namespace tidemark {
namespace {

// Names, and names' beginnings, of settings that protect.
constexpr std::string_view kPrefixes[] = {"ssl.",        "sasl.",
                                          "authorizer.", "principal.",
                                          "delegation.", "password.encoder."};
constexpr std::string_view kNames[] = {"super.users",
                                       "security.inter.broker.protocol",
                                       "security.protocol",
                                       "security.providers",
                                       "connections.max.reauth.ms",
                                       "allow.everyone.if.no.acl.found"};
constexpr char kMap[] = "listener.security.protocol.map";
constexpr std::string_view kNeutral[] = {"", "none", "PLAINTEXT"};
constexpr std::string_view kProtected[] = {"SSL", "SASL_PLAINTEXT", "SASL_SSL"};
// "listener.name.external.ssl.keystore.location" is one of a listener.
constexpr std::string_view kListenerPrefix = "listener.name.";

bool IsOneOf(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

std::string ToUpper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return upper;
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Without asking anybody what a name stands for.
bool IsThisMachine(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool Protects(std::string_view key) {
  if (key.starts_with(kListenerPrefix)) {
    key.remove_prefix(kListenerPrefix.size());
    const size_t dot = key.find('.');
    if (dot == std::string_view::npos) return false;
    key.remove_prefix(dot + 1);
    // "listener.name.external.plain.sasl.jaas.config": of a mechanism.
    if (key.find(".sasl.") != std::string_view::npos) return true;
    // The name of the listener has a dot, or is of another spelling.
    if (key.find("ssl.") != std::string_view::npos) return true;
  }
  return IsOneOf(kNames, key) ||
         std::ranges::any_of(kPrefixes, [key](std::string_view prefix) {
           return key.starts_with(prefix);
         });
}

}  // namespace

bool AsksForSecurity(std::string_view key, std::string_view value) {
  if (IsOneOf(kNeutral, value)) return false;
  if (key == "connections.max.reauth.ms") return value != "0";
  if (key == "allow.everyone.if.no.acl.found") return value != "true";
  return Protects(key);
}

Result<std::optional<std::string>> ProtocolOfListener(
    const Config& config, std::string_view listener) {
  const std::string name = ToLower(listener);
  std::optional<std::string> found;
  for (const std::string& entry : config.GetList(kMap)) {
    const size_t colon = entry.find(':');
    if (colon == std::string::npos) {
      return Fail(ErrorCode::kInvalidConfig, "Invalid value '" + entry +
                                                 "' for configuration " + kMap +
                                                 ": must be NAME:PROTOCOL");
    }
    if (ToLower(Trimmed(std::string_view(entry).substr(0, colon))) == name) {
      found = ToUpper(Trimmed(std::string_view(entry).substr(colon + 1)));
    }
  }
  if (!found && (IsOneOf(kProtected, ToUpper(listener)) ||
                 ToUpper(listener) == "PLAINTEXT")) {
    found = ToUpper(listener);
  }
  return found;
}

Result<ControllerProtocol> ProtocolOfControllers(const Config& config) {
  ControllerProtocol found;
  bool listens = false;
  for (const std::string& name : config.GetList("controller.listener.names")) {
    TM_ASSIGN_OR_RETURN(const auto protocol, ProtocolOfListener(config, name));
    if (protocol && *protocol != "PLAINTEXT" && *protocol != "SSL") {
      return Fail(ErrorCode::kInvalidConfig,
                  "Invalid value '" + name + " (" + *protocol +
                      ")' for configuration controller.listener.names: must "
                      "be a listener whose protocol in " +
                      kMap + " is PLAINTEXT or SSL");
    }
    // As in Kafka the first one is spoken; by a controller, the first that it
    // has.
    const bool here = std::ranges::any_of(
        config.GetList("listeners"), [&](const std::string& listener) {
          return listener.starts_with(name + "://");
        });
    if (!found.listener.empty() && (listens || !here)) continue;
    listens = here;
    found = {name, protocol == "SSL", protocol.has_value()};
  }
  return found;
}

Status CheckPlaintextIsMeant(const ControllerProtocol& protocol,
                             std::span<const std::string> hosts) {
  if (protocol.tls || protocol.said) return {};
  for (const std::string& host : hosts) {
    if (IsThisMachine(host)) continue;
    return Fail(ErrorCode::kInvalidConfig,
                "missing required configuration " + std::string(kMap) +
                    ": whether nodes speak to controllers beyond this machine "
                    "(" +
                    (host.empty() ? "any address" : host) + ") by TLS, " +
                    protocol.listener +
                    ":SSL with the ssl.* settings (docs/security.md), or in "
                    "plaintext that others can read and change, " +
                    protocol.listener + ":PLAINTEXT");
  }
  return {};
}

}  // namespace tidemark
