#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tls/key_material.h"
#include "common/tls/openssl.h"

namespace tidemark::tls {

enum class ClientAuth : uint8_t { kNone, kRequested, kRequired };

// Kafka's ssl.* settings of one listener.
struct ServerSettings {
  StoreSettings keystore;
  StoreSettings truststore;  // of clients; empty: the system's
  ClientAuth client_auth = ClientAuth::kNone;
  std::vector<std::string> protocols = {"TLSv1.2", "TLSv1.3"};
  std::vector<std::string> cipher_suites;  // names of the RFCs; none: OpenSSL's
};

// How a server speaks TLS: certificate, key, whom it trusts. Immutable; any
// thread. Sessions keep it alive.
class ServerContext {
 public:
  // Error kInvalidConfig: which setting or file, and why.
  static Result<std::shared_ptr<const ServerContext>> Make(
      const ServerSettings& settings);

  SSL_CTX* get() const { return context_.get(); }
  // When the own certificate, or one of its chain, ends to be valid; Unix time.
  int64_t expires_s() const { return expires_s_; }

 private:
  ServerContext(ContextPtr context, int64_t expires_s)
      : context_(std::move(context)), expires_s_(expires_s) {}

  const ContextPtr context_;
  const int64_t expires_s_;
};

}  // namespace tidemark::tls
