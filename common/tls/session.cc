#include "common/tls/session.h"

#include <openssl/err.h>

#include <utility>

namespace tidemark::tls {

Result<std::unique_ptr<Session>> Session::Accept(
    std::shared_ptr<const ServerContext> context, int socket) {
  ERR_clear_error();
  SslPtr ssl(SSL_new(context->get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), socket) != 1) {
    return Fail(ErrorCode::kUnknownServerError, TakeReason("out of memory"));
  }
  SSL_set_accept_state(ssl.get());
  return std::unique_ptr<Session>(
      new Session(std::move(context), std::move(ssl)));
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
  return StepOf(SSL_do_handshake(ssl_.get()));
}

Session::Step Session::Read(std::span<char> to, size_t* count) {
  ERR_clear_error();
  return StepOf(SSL_read_ex(ssl_.get(), to.data(), to.size(), count));
}

Session::Step Session::Write(std::span<const char> from, size_t* count) {
  ERR_clear_error();
  return StepOf(SSL_write_ex(ssl_.get(), from.data(), from.size(), count));
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
