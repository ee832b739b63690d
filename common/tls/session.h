#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/tls/context.h"

namespace tidemark::tls {

// IPv4 or IPv6, as text.
bool IsAddress(const std::string& host);

// One end of TLS on a socket that does not block. It never waits: it
// says what the socket has to be before it can go on. Used by one thread at a
// time, in a process that ignores SIGPIPE.
class Session {
 public:
  enum class Step : uint8_t {
    kDone,
    kWantRead,   // again, once the socket is readable
    kWantWrite,  // again, once it is writable
    kEnd,        // the other side has closed
    kBroken,     // Reason()
  };

  // REQUIRES: `socket` is open for as long as this is used.
  static Result<std::unique_ptr<Session>> Accept(
      std::shared_ptr<const ServerContext> context, int socket);
  // `host`: whom the certificate has to name, where the context checks that:
  // a name, or an address as text.
  static Result<std::unique_ptr<Session>> Connect(
      std::shared_ptr<const ClientContext> context, int socket,
      const std::string& host);

  // Until kDone; costs up to milliseconds of the processor. This and Read take
  // so much from the socket at once and no more: there are records that say
  // nothing and follow each other for ever.
  Step Handshake();
  // REQUIRES: the handshake is done; `to` and `from` are not empty. kDone: how
  // many bytes, one at least.
  Step Read(std::span<char> to, size_t* count);
  // After a kWant the next call begins with the same bytes; they may have
  // moved.
  Step Write(std::span<const char> from, size_t* count);
  // Whose certificate the other side has shown (SubjectOf); nullopt: none.
  // REQUIRES: the handshake is done.
  std::optional<std::string> PeerSubject() const;
  // Tells the other side, if the socket takes it.
  void End();

  // Of kBroken.
  const std::string& reason() const { return reason_; }

 private:
  Session(std::shared_ptr<const void> context, SslPtr ssl)
      : context_(std::move(context)), ssl_(std::move(ssl)) {}
  static Result<std::unique_ptr<Session>> Over(
      std::shared_ptr<const void> context, SSL_CTX* raw, int socket);
  Step StepOf(int result);
  static long OnBio(BIO* bio, int operation, const char*, size_t, int, long,
                    int result, size_t*);

  const std::shared_ptr<const void> context_;
  const SslPtr ssl_;
  std::string reason_;
  int reads_left_ = 0;  // of the socket, in this call
};

}  // namespace tidemark::tls
