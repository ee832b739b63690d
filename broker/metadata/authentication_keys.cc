#include "broker/metadata/authentication_keys.h"

#include <algorithm>
#include <set>

namespace tidemark {
namespace {

using enum ConfigType;

constexpr ConfigKey OfListeners(std::string_view name, ConfigType type,
                                std::string_view default_value,
                                std::string_view documentation, int64_t min = 1,
                                int64_t max = 0) {
  return {.name = name,
          .type = type,
          .default_value = default_value,
          .documentation = documentation,
          .min = min,
          .max = max,
          .of_listeners = true};
}

constexpr char kPlainUsers[] =
    "The users of PLAIN: org.apache.kafka.common.security.plain."
    "PlainLoginModule required user_NAME=\"PASSWORD\" ...;";
constexpr char kScramModule[] =
    "org.apache.kafka.common.security.scram.ScramLoginModule required; its "
    "users are in the metadata.";
constexpr char kOfMechanism[] = "connections.max.reauth.ms of the mechanism.";

constexpr ConfigKey kAuthenticationKeys[] = {
    {.name = "sasl.enabled.mechanisms",
     .type = kList,
     .default_value = "",
     .documentation = "How clients may say who they are, where a listener has "
                      "SASL.",
     .allowed = "PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
     .of_listeners = true},
    OfListeners("plain.sasl.jaas.config", kPassword, "", kPlainUsers),
    OfListeners("scram-sha-256.sasl.jaas.config", kPassword, "", kScramModule),
    OfListeners("scram-sha-512.sasl.jaas.config", kPassword, "", kScramModule),
    OfListeners("sasl.server.max.receive.size", kInt, "524288",
                "Longest frame of a client that has not said who it is.", 0,
                INT32_MAX),
    OfListeners(
        "connections.max.reauth.ms", kLong, "0",
        "How long clients are who they said they are, before they have to say "
        "it again; 0: as long as they are connected.",
        0, INT64_MAX),
    OfListeners("plain.connections.max.reauth.ms", kLong, "0", kOfMechanism, 0,
                INT64_MAX),
    OfListeners("scram-sha-256.connections.max.reauth.ms", kLong, "0",
                kOfMechanism, 0, INT64_MAX),
    OfListeners("scram-sha-512.connections.max.reauth.ms", kLong, "0",
                kOfMechanism, 0, INT64_MAX),
    OfListeners("connection.failed.authentication.delay.ms", kInt, "100",
                "How long who is refused waits for the answer.", 0, INT32_MAX),
    OfListeners("ssl.principal.mapping.rules", kString, "DEFAULT",
                "Whom the subject of a client's certificate stands for: "
                "RULE:pattern/replacement/[LU], ..., DEFAULT."),
};

tl::unexpected<Error> Refused(const std::string& key, const std::string& why) {
  return Fail(ErrorCode::kInvalidConfig,
              "Invalid value '...' for configuration " + key + ": " + why);
}

// The others are seen to with TLS.
bool IsOfSasl(std::string_view key) { return !key.starts_with("ssl."); }

// Of these, that it is set matters only where SASL is spoken.
bool IsAboutUsers(std::string_view key) {
  return IsOfSasl(key) && key != "sasl.server.max.receive.size" &&
         key != "connection.failed.authentication.delay.ms";
}

}  // namespace

std::span<const ConfigKey> AuthenticationConfigKeys() {
  return kAuthenticationKeys;
}

Status CheckSasl(const Config& config, const std::vector<Listener>& listeners) {
  constexpr char kWanted[] =
      "must be the setting of a listener whose protocol in "
      "listener.security.protocol.map is SASL_PLAINTEXT or SASL_SSL";
  std::set<std::string> spoken;
  for (const Listener& listener : listeners) {
    if (!SpeaksSasl(listener)) continue;
    spoken.insert(ToLower(listener.name));
    if (config.GetListOfListener(listener.name, "sasl.enabled.mechanisms")
            .empty()) {
      return Refused("sasl.enabled.mechanisms",
                     "listener " + listener.name + " (" + listener.protocol +
                         ") needs one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 "
                         "(Kafka's default, GSSAPI, is not available yet)");
    }
  }
  for (const ConfigKey& key : kAuthenticationKeys) {
    for (const std::string& name : config.ListenersWith(key.name)) {
      if (IsOfSasl(key.name) && !spoken.contains(name)) {
        return Refused("listener.name." + name + "." + std::string(key.name),
                       kWanted);
      }
    }
    if (spoken.empty() && IsAboutUsers(key.name) && config.IsSet(key.name) &&
        config.GetString(key.name) != key.default_value) {
      return Refused(std::string(key.name), kWanted);
    }
  }
  return {};
}

}  // namespace tidemark
