#include "controller/cli/tls_options.h"

#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include "common/base/config.h"
#include "common/tls/config_keys.h"

namespace tidemark::cli {
namespace {

constexpr char kProtocol[] = "security.protocol";
// Of no listener, but of this client.
constexpr char kNoListener[] = "";

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return Fail(ErrorCode::kInvalidConfig, "cannot read " + path);
  return text.str();
}

Result<Config> LoadCommandConfig(const std::string& path) {
  static const std::vector<ConfigKey> keys = [] {
    const auto tls = tls::ConfigKeys();
    std::vector<ConfigKey> all(tls.begin(), tls.end());
    all.push_back({.name = kProtocol,
                   .type = ConfigType::kString,
                   .default_value = "PLAINTEXT",
                   .allowed = "PLAINTEXT|SSL"});
    return all;
  }();
  return Config::Load(keys, {.path = path});
}

// Whoever has written how TLS is spoken does not mean plaintext.
Status CheckProtocol(const Config& config, const std::string& path) {
  if (config.GetString(kProtocol) == "SSL") return {};
  for (const ConfigKey& key : tls::ConfigKeys()) {
    if (!config.IsSet(key.name)) continue;
    return Fail(
        ErrorCode::kInvalidConfig,
        path + ": " + std::string(key.name) +
            " is set, but TLS is not spoken: add security.protocol=SSL");
  }
  return {};
}

}  // namespace

Result<std::optional<ClientTls>> TlsOf(const TlsOptions& options) {
  std::optional<ClientTls> found;
  if (!options.command_config.empty()) {
    TM_ASSIGN_OR_RETURN(const Config config,
                        LoadCommandConfig(options.command_config));
    for (const std::string& warning : config.warnings()) {
      std::cerr << "warning: " << options.command_config << ": " << warning
                << '\n';
    }
    TM_RETURN_IF_ERROR(CheckProtocol(config, options.command_config));
    if (config.GetString(kProtocol) == "SSL") {
      found.emplace();
      found->settings = tls::SettingsOf(config, kNoListener);
      TM_ASSIGN_OR_RETURN(found->roles,
                          tls::CertificateRoles::Parse(
                              config.GetString("tidemark.certificate.roles")));
    }
  }
  // What stands on the command line is newer than any file.
  if (!options.ca.empty()) {
    if (!found) found.emplace();
    found->settings.truststore = {.type = "PEM", .location = options.ca};
  }
  if (!options.certificate.empty()) {
    if (!found) found.emplace();
    found->settings.keystore = {.type = "PEM", .location = options.certificate};
  }
  if (options.key.empty()) return found;
  if (options.certificate.empty()) {
    return Fail(ErrorCode::kInvalidConfig, "--tls-key goes with --tls-cert");
  }
  tls::StoreSettings& own = found->settings.keystore;
  own.location.clear();
  TM_ASSIGN_OR_RETURN(own.key, ReadFile(options.key));
  TM_ASSIGN_OR_RETURN(own.certificates, ReadFile(options.certificate));
  return found;
}

Result<rpc::SecurityPtr> SecurityOf(const TlsOptions& options) {
  TM_ASSIGN_OR_RETURN(const auto tls, TlsOf(options));
  if (!tls) return rpc::SecurityPtr();
  return rpc::Security::Open(tls->settings, tls->roles);
}

}  // namespace tidemark::cli
