#include "broker/server/listener_tls.h"

namespace tidemark::server {

tls::ServerSettings TlsOf(const Listener& listener, const Config& config) {
  const auto get = [&](std::string_view key) {
    return config.GetOfListener(listener.name, key);
  };
  tls::ServerSettings settings;
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
  settings.client_auth = client_auth == "required" ? tls::ClientAuth::kRequired
                         : client_auth == "requested"
                             ? tls::ClientAuth::kRequested
                             : tls::ClientAuth::kNone;
  settings.protocols =
      config.GetListOfListener(listener.name, "ssl.enabled.protocols");
  settings.cipher_suites =
      config.GetListOfListener(listener.name, "ssl.cipher.suites");
  return settings;
}

}  // namespace tidemark::server
