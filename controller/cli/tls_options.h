#pragma once

#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/rpc/security.h"
#include "common/tls/context.h"

namespace tidemark::cli {

// What the command line says of TLS, for all connections of the command.
struct TlsOptions {
  std::string ca;           // PEM files
  std::string certificate;  // and its chain
  std::string key;          // "": in the file of the certificate
  // Kafka's client.properties: security.protocol and ssl.*.
  std::string command_config;
};

struct ClientTls {
  tls::Settings settings;
  tls::CertificateRoles roles;  // by which controllers are known
};
// nullopt: plaintext. Error kInvalidConfig: which file or setting, and why.
Result<std::optional<ClientTls>> TlsOf(const TlsOptions& options);

// For gRPC; nullptr: plaintext.
Result<rpc::SecurityPtr> SecurityOf(const TlsOptions& options);

}  // namespace tidemark::cli
