#include "common/tls/context.h"

#include <openssl/err.h>
#include <time.h>

#include <algorithm>
#include <utility>

namespace tidemark::tls {
namespace {

tl::unexpected<Error> Refused(const std::string& setting,
                              const std::string& why) {
  return Fail(ErrorCode::kInvalidConfig, setting + ": " + why);
}

Status SetProtocols(SSL_CTX* context,
                    const std::vector<std::string>& protocols) {
  const auto has = [&](std::string_view name) {
    return std::find(protocols.begin(), protocols.end(), name) !=
           protocols.end();
  };
  const bool old = has("TLSv1.2"), current = has("TLSv1.3");
  if ((!old && !current) ||
      SSL_CTX_set_min_proto_version(
          context, old ? TLS1_2_VERSION : TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_max_proto_version(
          context, current ? TLS1_3_VERSION : TLS1_2_VERSION) != 1) {
    return Refused("ssl.enabled.protocols", "must be TLSv1.2, TLSv1.3 or both");
  }
  return {};
}

// Kafka's names are those of the RFCs, OpenSSL has its own for TLS 1.2.
Status SetCiphers(SSL_CTX* context, const std::vector<std::string>& suites) {
  if (suites.empty()) return {};
  std::string old, current;
  for (const std::string& name : suites) {
    const char* own = OPENSSL_cipher_name(name.c_str());
    const bool is_old = own != nullptr && std::string_view(own) != "(NONE)" &&
                        std::string_view(own) != name;
    std::string& to = is_old ? old : current;
    to += (to.empty() ? "" : ":") + (is_old ? std::string(own) : name);
  }
  if (SSL_CTX_set_ciphersuites(context, current.c_str()) != 1 ||
      (!old.empty() && SSL_CTX_set_cipher_list(context, old.c_str()) != 1)) {
    return Refused("ssl.cipher.suites", TakeReason("unknown cipher"));
  }
  // A version of which there is no suite is not spoken.
  if ((current.empty() &&
       SSL_CTX_get_min_proto_version(context) == TLS1_3_VERSION) ||
      (old.empty() &&
       SSL_CTX_get_max_proto_version(context) == TLS1_2_VERSION)) {
    return Refused("ssl.cipher.suites",
                   "none of them is of ssl.enabled.protocols");
  }
  if (current.empty()) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  if (old.empty()) SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  return {};
}

// One of them may be what is set for all listeners.
Status CheckOneSource(const std::string& what, const StoreSettings& store) {
  if (store.location.empty() ||
      (store.key.empty() && store.certificates.empty())) {
    return {};
  }
  return Refused(what + ".location",
                 "is set, and so is PEM in a setting beside it; unset one "
                 "(listener.name.NAME." +
                     what + ".location=)");
}

int64_t ExpiryOf(X509* certificate) {
  tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return 0;
  return timegm(&end);
}

Status UseKey(SSL_CTX* context, const KeyMaterial& own) {
  if (SSL_CTX_use_certificate(context, own.certificates.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, own.key.get()) != 1) {
    return Refused("ssl.keystore", TakeReason("its key cannot be used"));
  }
  for (size_t i = 1; i < own.certificates.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, own.certificates[i].get()) != 1) {
      return Refused("ssl.keystore", TakeReason("its chain cannot be used"));
    }
  }
  return {};
}

Status UseTrust(SSL_CTX* context, const ServerSettings& settings) {
  if (settings.client_auth == ClientAuth::kNone) return {};
  SSL_CTX_set_verify(
      context,
      SSL_VERIFY_PEER | (settings.client_auth == ClientAuth::kRequired
                             ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                             : 0),
      nullptr);
  if (settings.truststore.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  TM_ASSIGN_OR_RETURN(const KeyMaterial trusted,
                      ReadTruststore(settings.truststore));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const CertificatePtr& certificate : trusted.certificates) {
    X509_STORE_add_cert(store, certificate.get());
    SSL_CTX_add_client_CA(context, certificate.get());
  }
  // One that is trusted need not be a root.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  return {};
}

}  // namespace

Result<std::shared_ptr<const ServerContext>> ServerContext::Make(
    const ServerSettings& settings) {
  TM_RETURN_IF_ERROR(CheckOneSource("ssl.keystore", settings.keystore));
  TM_RETURN_IF_ERROR(CheckOneSource("ssl.truststore", settings.truststore));
  if (settings.keystore.empty()) {
    return Refused("ssl.keystore.location",
                   "a listener with TLS needs a key and a certificate: set "
                   "it, or ssl.keystore.key and "
                   "ssl.keystore.certificate.chain");
  }
  TM_ASSIGN_OR_RETURN(const KeyMaterial own, ReadKeystore(settings.keystore));
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) {
    return Fail(ErrorCode::kUnknownServerError, TakeReason("out of memory"));
  }
  SSL_CTX* const raw = context.get();
  // A client that just closes its connection has said all it wanted: frames
  // tell their own length.
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  constexpr unsigned char kSessions[] = "tidemark";
  SSL_CTX_set_session_id_context(raw, kSessions, sizeof kSessions - 1);
  // Tickets resume; a cache would grow with strangers.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  TM_RETURN_IF_ERROR(SetProtocols(raw, settings.protocols));
  TM_RETURN_IF_ERROR(SetCiphers(raw, settings.cipher_suites));
  TM_RETURN_IF_ERROR(UseKey(raw, own));
  TM_RETURN_IF_ERROR(UseTrust(raw, settings));
  int64_t expires = INT64_MAX;
  for (const CertificatePtr& one : own.certificates) {
    expires = std::min(expires, ExpiryOf(one.get()));
  }
  ERR_clear_error();
  return std::shared_ptr<const ServerContext>(
      new ServerContext(std::move(context), expires));
}

}  // namespace tidemark::tls
