#include "common/rpc/http_settings.h"

#include "common/tls/config_keys.h"

namespace tidemark::rpc {
namespace {

constexpr ConfigKey kKeys[] = {
    {"http.security.protocol", ConfigType::kString, "PLAINTEXT",
     "PLAINTEXT, or SSL with the ssl.* settings (of this port alone: "
     "listener.name.http.ssl.*).",
     1, 0, "PLAINTEXT|SSL"},
    {"http.basic.auth", ConfigType::kPassword, "",
     "USER:PASSWORD that whoever asks there has to know; default: nothing."},
};

// Of which settings are under listener.name.http.
constexpr char kListener[] = "http";

bool SpeaksTls(const Config& config) {
  return config.GetString("http.security.protocol") == "SSL";
}

}  // namespace

std::span<const ConfigKey> HttpKeys() { return kKeys; }

std::set<std::string> ListenersOfHttp(const Config& config) {
  if (!SpeaksTls(config)) return {};
  return {kListener};
}

Result<HttpSettings> HttpSettingsOf(const Config& config, uint16_t port) {
  HttpSettings settings;
  settings.host = config.GetString("http.host");
  settings.port = port;
  settings.credentials = config.GetString("http.basic.auth");
  const size_t colon = settings.credentials.find(':');
  if (!settings.credentials.empty() &&
      (colon == std::string::npos || colon == 0)) {
    return Fail(ErrorCode::kInvalidConfig,
                "Invalid configuration http.basic.auth: must be USER:PASSWORD");
  }
  if (SpeaksTls(config)) settings.tls = tls::SettingsOf(config, kListener);
  return settings;
}

}  // namespace tidemark::rpc
