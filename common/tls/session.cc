#include "common/tls/session.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <utility>

#include "common/tls/distinguished_name.h"

namespace tidemark::tls {
namespace {

// Reads of the socket: a record takes two of them.
constexpr int kMostReads = 32;

}  // namespace

bool IsAddress(const std::string& host) {
  char bytes[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

Result<std::unique_ptr<Session>> Session::Over(
    std::shared_ptr<const void> context, SSL_CTX* raw, int socket) {
  ERR_clear_error();
  SslPtr ssl(SSL_new(raw));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), socket) != 1) {
    return Fail(ErrorCode::kUnknownServerError, TakeReason("out of memory"));
  }
  BIO* const socket_bio = SSL_get_rbio(ssl.get());
  std::unique_ptr<Session> session(
      new Session(std::move(context), std::move(ssl)));
  BIO_set_callback_arg(socket_bio, reinterpret_cast<char*>(session.get()));
  BIO_set_callback_ex(socket_bio, &Session::OnBio);
  return session;
}

Result<std::unique_ptr<Session>> Session::Accept(
    std::shared_ptr<const ServerContext> context, int socket) {
  SSL_CTX* const raw = context->get();
  TM_ASSIGN_OR_RETURN(auto session, Over(std::move(context), raw, socket));
  SSL_set_accept_state(session->ssl_.get());
  return session;
}

Result<std::unique_ptr<Session>> Session::Connect(
    std::shared_ptr<const ClientContext> context, int socket,
    const std::string& host) {
  SSL_CTX* const raw = context->get();
  const bool check_host = context->check_host();
  TM_ASSIGN_OR_RETURN(auto session, Over(std::move(context), raw, socket));
  SSL* const ssl = session->ssl_.get();
  SSL_set_connect_state(ssl);
  // An address is no name to be asked for.
  const bool address = IsAddress(host);
  if (!address) SSL_set_tlsext_host_name(ssl, host.c_str());
  if (!check_host) return session;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int set =
      address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str())
              : SSL_set1_host(ssl, host.c_str());
  if (set != 1) return Fail(ErrorCode::kInvalidRequest, "no host: " + host);
  return session;
}

long Session::OnBio(BIO* bio, int operation, const char*, size_t, int, long,
                    int result, size_t*) {
  if (operation != BIO_CB_READ) return result;
  auto* session = reinterpret_cast<Session*>(BIO_get_callback_arg(bio));
  if (session->reads_left_-- > 0) return result;
  BIO_set_retry_read(bio);
  return -1;
}

Session::Step Session::StepOf(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE:
      return Step::kDone;
    case SSL_ERROR_WANT_READ:
      return Step::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Step::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Step::kEnd;
    case SSL_ERROR_SYSCALL:
      reason_ = "the connection is gone";
      break;
    default: {
      const long verified = SSL_get_verify_result(ssl_.get());
      reason_ = TakeReason("bad TLS");
      if (verified != X509_V_OK) {
        reason_ +=
            std::string(" (") + X509_verify_cert_error_string(verified) + ")";
      }
    }
  }
  ERR_clear_error();
  return Step::kBroken;
}

Session::Step Session::Handshake() {
  ERR_clear_error();
  reads_left_ = kMostReads;
  return StepOf(SSL_do_handshake(ssl_.get()));
}

Session::Step Session::Read(std::span<char> to, size_t* count) {
  ERR_clear_error();
  reads_left_ = kMostReads;
  return StepOf(SSL_read_ex(ssl_.get(), to.data(), to.size(), count));
}

Session::Step Session::Write(std::span<const char> from, size_t* count) {
  ERR_clear_error();
  return StepOf(SSL_write_ex(ssl_.get(), from.data(), from.size(), count));
}

std::optional<std::string> Session::PeerSubject() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return std::nullopt;
  return SubjectOf(certificate);
}

void Session::End() {
  ERR_clear_error();
  // REQUIRED by OpenSSL: not after an error.
  if (reason_.empty() && SSL_is_init_finished(ssl_.get())) {
    SSL_shutdown(ssl_.get());
  }
  ERR_clear_error();
}

}  // namespace tidemark::tls
