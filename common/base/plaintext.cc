#include "common/base/plaintext.h"

#include <algorithm>
#include <map>

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
constexpr std::string_view kNeutral[] = {"", "none", "PLAINTEXT"};
constexpr std::string_view kProtected[] = {"SSL", "SASL_PLAINTEXT", "SASL_SSL"};
// "listener.name.external.ssl.keystore.location" is one of a listener.
constexpr std::string_view kOfListener = "listener.name.";

bool IsOneOf(std::span<const std::string_view> words, std::string_view word) {
  return std::ranges::find(words, word) != words.end();
}

bool Protects(std::string_view key) {
  if (key.starts_with(kOfListener)) {
    key.remove_prefix(kOfListener.size());
    const size_t dot = key.find('.');
    if (dot == std::string_view::npos) return false;
    key.remove_prefix(dot + 1);
    // "listener.name.external.plain.sasl.jaas.config": of a mechanism.
    if (key.find(".sasl.") != std::string_view::npos) return true;
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

Status CheckPlaintext(const Config& config,
                      std::span<const std::string> listener_names) {
  constexpr char kKey[] = "listener.security.protocol.map";
  std::map<std::string, std::string> protocols;
  for (const std::string& entry : config.GetList(kKey)) {
    const size_t colon = entry.find(':');
    if (colon == std::string::npos) {
      return Fail(ErrorCode::kInvalidConfig, "Invalid value '" + entry +
                                                 "' for configuration " + kKey +
                                                 ": must be NAME:PROTOCOL");
    }
    protocols[entry.substr(0, colon)] = entry.substr(colon + 1);
  }
  for (const std::string& name : listener_names) {
    const auto found = protocols.find(name);
    const std::string& protocol =
        found == protocols.end() ? name : found->second;
    if (protocol == "PLAINTEXT") continue;
    if (found == protocols.end() && !IsOneOf(kProtected, name)) continue;
    return Fail(ErrorCode::kInvalidConfig,
                "Invalid value '" + name + " (" + protocol +
                    ")' for configuration listeners: must be a listener whose "
                    "protocol in " +
                    kKey + " is PLAINTEXT; there is no other yet");
  }
  return {};
}

}  // namespace tidemark
