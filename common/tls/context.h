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

// Kafka's ssl.* settings of one listener, or of a client.
struct Settings {
  StoreSettings keystore;
  StoreSettings truststore;  // of the other side; empty: the system's
  ClientAuth client_auth = ClientAuth::kNone;
  std::vector<std::string> protocols = {"TLSv1.2", "TLSv1.3"};
  std::vector<std::string> cipher_suites;  // names of the RFCs; none: OpenSSL's
  bool check_host = true;  // a client's: that the certificate names the server
};

// How a server speaks TLS: certificate, key, whom it trusts. Immutable; any
// thread. Sessions keep it alive.
class ServerContext {
 public:
  // Error kInvalidConfig: which setting or file, and why.
  static Result<std::shared_ptr<const ServerContext>> Make(
      const Settings& settings);

  SSL_CTX* get() const { return context_.get(); }
  // When the own certificate, or one of its chain, ends to be valid; Unix time.
  int64_t expires_s() const { return expires_s_; }

 private:
  ServerContext(ContextPtr context, int64_t expires_s)
      : context_(std::move(context)), expires_s_(expires_s) {}

  const ContextPtr context_;
  const int64_t expires_s_;
};

// How a client speaks TLS. Immutable; any thread. Sessions keep it alive.
class ClientContext {
 public:
  // Without a keystore it shows no certificate. Error kInvalidConfig.
  static Result<std::shared_ptr<const ClientContext>> Make(
      const Settings& settings);

  SSL_CTX* get() const { return context_.get(); }
  bool check_host() const { return check_host_; }
  // Of its certificate; INT64_MAX: it has none.
  int64_t expires_s() const { return expires_s_; }

 private:
  ClientContext(ContextPtr context, bool check_host, int64_t expires_s)
      : context_(std::move(context)),
        check_host_(check_host),
        expires_s_(expires_s) {}

  const ContextPtr context_;
  const bool check_host_;
  const int64_t expires_s_;
};

// Key, certificates and trust as PEM, for libraries that speak TLS themselves.
// Immutable; any thread.
struct PemMaterial {
  // The key belongs to the certificate. Error kInvalidConfig, also when
  // anything of the three is missing.
  static Result<std::shared_ptr<const PemMaterial>> Make(
      const Settings& settings);
  // May be without key and certificate, or without trust.
  static Result<std::shared_ptr<const PemMaterial>> MakeOfClient(
      const Settings& settings);

  std::string key;
  std::string chain;  // the key's own certificate first
  std::string trust;
  int64_t expires_s = INT64_MAX;  // of the chain, the first that ends
};

}  // namespace tidemark::tls
