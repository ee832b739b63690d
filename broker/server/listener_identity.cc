#include "broker/server/listener_identity.h"

#include <algorithm>

#include "common/sasl/jaas.h"

namespace tidemark::server {
namespace {

struct Known {
  std::string_view mechanism;
  const char* jaas;
  const char* max_session;
  const char* module;
};

constexpr char kPlainModule[] =
    "org.apache.kafka.common.security.plain.PlainLoginModule";
constexpr char kScramModule[] =
    "org.apache.kafka.common.security.scram.ScramLoginModule";
constexpr Known kKnown[] = {
    {"PLAIN", "plain.sasl.jaas.config", "plain.connections.max.reauth.ms",
     kPlainModule},
    {"SCRAM-SHA-256", "scram-sha-256.sasl.jaas.config",
     "scram-sha-256.connections.max.reauth.ms", kScramModule},
    {"SCRAM-SHA-512", "scram-sha-512.sasl.jaas.config",
     "scram-sha-512.connections.max.reauth.ms", kScramModule},
};

// user_alice="secret"
sasl::PlainUsers UsersOf(const sasl::LoginModule& module) {
  constexpr std::string_view kUser = "user_";
  sasl::PlainUsers users;
  for (const auto& [key, value] : module.options) {
    if (key.starts_with(kUser)) users.Add(key.substr(kUser.size()), value);
  }
  return users;
}

class Reader {
 public:
  Reader(const Listener& listener, const Config& config)
      : listener_(listener), config_(config) {}

  Result<SaslServer::Options> Read() const {
    SaslServer::Options out;
    out.max_receive_bytes =
        static_cast<size_t>(GetInt("sasl.server.max.receive.size"));
    out.failure_delay =
        MillisecondsOf(GetInt("connection.failed.authentication.delay.ms"));
    for (const std::string& name :
         config_.GetListOfListener(listener_.name, "sasl.enabled.mechanisms")) {
      const Known& known =
          *std::ranges::find(kKnown, std::string_view(name), &Known::mechanism);
      // Its own 0 is a setting, too.
      const bool own =
          config_.IsSet(known.max_session) ||
          config_.IsSet("listener.name." + ToLower(listener_.name) + "." +
                        known.max_session);
      out.mechanisms.push_back(
          {name, MillisecondsOf(GetInt(own ? known.max_session
                                           : "connections.max.reauth.ms"))});
      TM_RETURN_IF_ERROR(ReadModule(known, &out));
    }
    return out;
  }

 private:
  std::string Get(std::string_view key) const {
    return config_.GetOfListener(listener_.name, key);
  }
  int64_t GetInt(std::string_view key) const { return std::stoll(Get(key)); }

  Status ReadModule(const Known& known, SaslServer::Options* out) const {
    const std::string text = Get(known.jaas);
    const bool plain = known.module == kPlainModule;
    if (text.empty() && !plain) return {};
    if (text.empty()) return Refused(known.jaas, "PLAIN needs users: set it");
    const auto modules = sasl::ParseJaas(text);
    if (!modules) return Refused(known.jaas, modules.error().message);
    if (modules->size() != 1 || modules->front().name != known.module) {
      return Refused(known.jaas,
                     std::string("must be one login module, ") + known.module);
    }
    if (plain) out->plain_users = UsersOf(modules->front());
    return {};
  }

  tl::unexpected<Error> Refused(const std::string& key,
                                const std::string& why) const {
    return Fail(
        ErrorCode::kInvalidConfig,
        "listener.name." + ToLower(listener_.name) + "." + key + ": " + why);
  }

  const Listener& listener_;
  const Config& config_;
};

}  // namespace

Result<std::shared_ptr<const tls::PrincipalRules>> PrincipalsOf(
    const Listener& listener, const Config& config) {
  TM_ASSIGN_OR_RETURN(auto rules,
                      tls::PrincipalRules::Parse(config.GetOfListener(
                          listener.name, "ssl.principal.mapping.rules")));
  return std::make_shared<const tls::PrincipalRules>(std::move(rules));
}

Result<std::shared_ptr<const SaslServer>> SaslOf(const Listener& listener,
                                                 const Config& config,
                                                 const ImageHolder& metadata) {
  TM_ASSIGN_OR_RETURN(auto options, Reader(listener, config).Read());
  return std::make_shared<const SaslServer>(std::move(options), metadata);
}

}  // namespace tidemark::server
