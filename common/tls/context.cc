#include "common/tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
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

int64_t FirstExpiry(const std::vector<CertificatePtr>& certificates) {
  int64_t expires = INT64_MAX;
  for (const CertificatePtr& one : certificates) {
    expires = std::min(expires, ExpiryOf(one.get()));
  }
  return expires;
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

Status UseTrust(SSL_CTX* context, const Settings& settings) {
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

Status UseTrustOfClients(SSL_CTX* context, const Settings& settings) {
  if (settings.client_auth == ClientAuth::kNone) return {};
  SSL_CTX_set_verify(
      context,
      SSL_VERIFY_PEER | (settings.client_auth == ClientAuth::kRequired
                             ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                             : 0),
      nullptr);
  return UseTrust(context, settings);
}

Status CheckSources(const Settings& settings) {
  TM_RETURN_IF_ERROR(CheckOneSource("ssl.keystore", settings.keystore));
  return CheckOneSource("ssl.truststore", settings.truststore);
}

// What both ends have in common.
Result<ContextPtr> NewContext(const SSL_METHOD* method,
                              const Settings& settings) {
  ContextPtr context(SSL_CTX_new(method));
  if (context == nullptr) {
    return Fail(ErrorCode::kUnknownServerError, TakeReason("out of memory"));
  }
  SSL_CTX* const raw = context.get();
  // One that just closes its connection has said all it wanted: frames tell
  // their own length.
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  TM_RETURN_IF_ERROR(SetProtocols(raw, settings.protocols));
  TM_RETURN_IF_ERROR(SetCiphers(raw, settings.cipher_suites));
  return context;
}

std::string PemOf(const std::vector<CertificatePtr>& certificates) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  for (const CertificatePtr& one : certificates) {
    PEM_write_bio_X509(bio.get(), one.get());
  }
  return TextOf(bio.get());
}

}  // namespace

Result<std::shared_ptr<const ServerContext>> ServerContext::Make(
    const Settings& settings) {
  TM_RETURN_IF_ERROR(CheckSources(settings));
  if (settings.keystore.empty()) {
    return Refused("ssl.keystore.location",
                   "a listener with TLS needs a key and a certificate: set "
                   "it, or ssl.keystore.key and "
                   "ssl.keystore.certificate.chain");
  }
  TM_ASSIGN_OR_RETURN(const KeyMaterial own, ReadKeystore(settings.keystore));
  TM_ASSIGN_OR_RETURN(ContextPtr context,
                      NewContext(TLS_server_method(), settings));
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Tickets resume; a cache would grow with strangers.
  constexpr unsigned char kSessions[] = "tidemark";
  SSL_CTX_set_session_id_context(raw, kSessions, sizeof kSessions - 1);
  TM_RETURN_IF_ERROR(UseKey(raw, own));
  TM_RETURN_IF_ERROR(UseTrustOfClients(raw, settings));
  ERR_clear_error();
  return std::shared_ptr<const ServerContext>(
      new ServerContext(std::move(context), FirstExpiry(own.certificates)));
}

Result<std::shared_ptr<const ClientContext>> ClientContext::Make(
    const Settings& settings) {
  TM_RETURN_IF_ERROR(CheckSources(settings));
  TM_ASSIGN_OR_RETURN(ContextPtr context,
                      NewContext(TLS_client_method(), settings));
  SSL_CTX* const raw = context.get();
  int64_t expires = INT64_MAX;
  if (!settings.keystore.empty()) {
    TM_ASSIGN_OR_RETURN(const KeyMaterial own, ReadKeystore(settings.keystore));
    TM_RETURN_IF_ERROR(UseKey(raw, own));
    expires = FirstExpiry(own.certificates);
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  TM_RETURN_IF_ERROR(UseTrust(raw, settings));
  ERR_clear_error();
  return std::shared_ptr<const ClientContext>(
      new ClientContext(std::move(context), settings.check_host, expires));
}

Result<std::shared_ptr<const PemMaterial>> PemMaterial::MakeOfClient(
    const Settings& settings) {
  TM_RETURN_IF_ERROR(CheckSources(settings));
  auto made = std::make_shared<PemMaterial>();
  if (!settings.keystore.empty()) {
    TM_ASSIGN_OR_RETURN(const KeyMaterial own, ReadKeystore(settings.keystore));
    if (X509_check_private_key(own.certificates.front().get(), own.key.get()) !=
        1) {
      return Refused("ssl.keystore", TakeReason("the key is another's"));
    }
    const BioPtr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(bio.get(), own.key.get(), nullptr, nullptr, 0,
                                  nullptr, nullptr);
    made->key = TextOf(bio.get());
    made->chain = PemOf(own.certificates);
    made->expires_s = FirstExpiry(own.certificates);
  }
  if (!settings.truststore.empty()) {
    TM_ASSIGN_OR_RETURN(const KeyMaterial trusted,
                        ReadTruststore(settings.truststore));
    made->trust = PemOf(trusted.certificates);
  }
  ERR_clear_error();
  return std::shared_ptr<const PemMaterial>(std::move(made));
}

Result<std::shared_ptr<const PemMaterial>> PemMaterial::Make(
    const Settings& settings) {
  if (settings.keystore.empty()) {
    return Refused("ssl.keystore.location",
                   "nodes know each other by their certificates: set it, or "
                   "ssl.keystore.key and ssl.keystore.certificate.chain");
  }
  if (settings.truststore.empty()) {
    return Refused("ssl.truststore.location",
                   "nodes know each other by their certificates: set it to "
                   "what those come from");
  }
  return MakeOfClient(settings);
}

}  // namespace tidemark::tls
