#include "common/tls/config_keys.h"

#include "common/base/plaintext.h"

namespace tidemark::tls {
namespace {

using enum ConfigType;

constexpr ConfigKey Key(std::string_view name, ConfigType type,
                        std::string_view default_value,
                        std::string_view documentation,
                        std::string_view allowed = {}) {
  return {.name = name,
          .type = type,
          .default_value = default_value,
          .documentation = documentation,
          .allowed = allowed,
          .of_listeners = true};
}

constexpr ConfigKey kKeys[] = {
    Key("ssl.keystore.type", kString, "JKS",
        "Format of the key and certificate: PEM, PKCS12, or JKS, by which what "
        "keytool writes is meant.",
        "JKS|PKCS12|PEM"),
    Key("ssl.keystore.location", kString, "",
        "File with the private key, its certificate and the chain of that. "
        "Read again when it changes."),
    Key("ssl.keystore.password", kPassword, "", "Of that file."),
    Key("ssl.key.password", kPassword, "",
        "Of the private key, where that is PEM."),
    Key("ssl.keystore.key", kPassword, "",
        "The private key itself, PEM; instead of a file."),
    Key("ssl.keystore.certificate.chain", kPassword, "",
        "The certificate of ssl.keystore.key and its chain, PEM."),
    Key("ssl.truststore.type", kString, "JKS", "As ssl.keystore.type.",
        "JKS|PKCS12|PEM"),
    Key("ssl.truststore.location", kString, "",
        "File with the certificates that those of others must come from; "
        "default: the system's. Read again when it changes."),
    Key("ssl.truststore.password", kPassword, "", "Of that file."),
    Key("ssl.truststore.certificates", kPassword, "",
        "These certificates themselves, PEM; instead of a file."),
    Key("ssl.client.auth", kString, "none",
        "Whether clients have to show a certificate.",
        "none|requested|required"),
    Key("ssl.enabled.protocols", kList, "TLSv1.2,TLSv1.3", "Versions of TLS.",
        "TLSv1.2|TLSv1.3"),
    Key("ssl.cipher.suites", kList, "",
        "Ciphers, by their names in the RFCs; default: OpenSSL's."),
    Key("ssl.endpoint.identification.algorithm", kString, "https",
        "https: the certificate of another node must name the host that this "
        "one connects to; empty: it need not."),
    Key("tidemark.certificate.roles", kString, "",
        "Whose certificates are nodes' and administrators' that do not say it "
        "themselves (tidemark:broker/1): ROLE/ID:SUBJECT;... with the roles "
        "broker, controller and admin."),
};

}  // namespace

std::span<const ConfigKey> ConfigKeys() { return kKeys; }

Settings SettingsOf(const Config& config, std::string_view listener) {
  const auto get = [&](std::string_view key) {
    return config.GetOfListener(listener, key);
  };
  Settings settings;
  settings.keystore.type = get("ssl.keystore.type");
  settings.keystore.location = get("ssl.keystore.location");
  settings.keystore.password = get("ssl.keystore.password");
  settings.keystore.key_password = get("ssl.key.password");
  settings.keystore.key = get("ssl.keystore.key");
  settings.keystore.certificates = get("ssl.keystore.certificate.chain");
  settings.truststore.type = get("ssl.truststore.type");
  settings.truststore.location = get("ssl.truststore.location");
  settings.truststore.password = get("ssl.truststore.password");
  settings.truststore.certificates = get("ssl.truststore.certificates");
  const std::string client_auth = get("ssl.client.auth");
  settings.client_auth = client_auth == "required"    ? ClientAuth::kRequired
                         : client_auth == "requested" ? ClientAuth::kRequested
                                                      : ClientAuth::kNone;
  settings.protocols =
      config.GetListOfListener(listener, "ssl.enabled.protocols");
  settings.cipher_suites =
      config.GetListOfListener(listener, "ssl.cipher.suites");
  settings.check_host = !get("ssl.endpoint.identification.algorithm").empty();
  return settings;
}

Status CheckIsSpoken(const Config& config,
                     const std::set<std::string>& spoken) {
  constexpr char kWanted[] =
      "': must be the setting of a listener whose protocol in "
      "listener.security.protocol.map is SSL or SASL_SSL";
  for (const ConfigKey& key : kKeys) {
    for (const std::string& name : config.ListenersWith(key.name)) {
      if (spoken.contains(name)) continue;
      return Fail(ErrorCode::kInvalidConfig,
                  "Invalid configuration 'listener.name." + name + kWanted);
    }
    if (spoken.empty() && config.IsSet(key.name) &&
        AsksForSecurity(key.name, config.GetString(key.name))) {
      return Fail(ErrorCode::kInvalidConfig,
                  "Invalid configuration '" + std::string(key.name) + kWanted);
    }
  }
  return {};
}

}  // namespace tidemark::tls
