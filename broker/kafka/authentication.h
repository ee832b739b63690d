#pragma once

#include <memory>
#include <optional>
#include <string>

#include "broker/kafka/handler.h"
#include "broker/kafka/network_metrics.h"
#include "broker/kafka/responder.h"
#include "broker/kafka/sasl_server.h"
#include "common/kafka/header.h"
#include "common/tls/principal_rules.h"

namespace tidemark::server {

// Who is at the other end of a connection, and what it may ask before that is
// known: ApiVersions, SaslHandshake, and then, after version 0 of that, frames
// that are tokens of SASL and nothing else, or SaslAuthenticate (KIP-43,
// KIP-152). Anything else closes the connection; so does a failure, behind its
// answer and connection.failed.authentication.delay.ms.
//
// With connections.max.reauth.ms nothing is served when that time is over, but
// a SaslHandshake with which the same user says again who it is (KIP-368).
//
// Used on the connection's loop.
class Authentication {
 public:
  // The whole of it ends within this time.
  static constexpr Duration kLimit = std::chrono::seconds(30);

  // `server`: of the listener, and outlives it; nullptr: whoever comes is
  // served. So does `metrics`.
  Authentication(const SaslServer* server, NetworkMetrics& metrics, Instant now)
      : server_(server), metrics_(metrics), began_(now) {}

  // Requests are served.
  bool done() const { return server_ == nullptr || step_ == Step::kDone; }
  // When it has to be done; REQUIRES: it is not.
  Instant deadline() const { return began_ + kLimit; }
  // "User:alice".
  const std::string& principal() const { return principal_; }
  // Longest frame that may come now, of `otherwise`.
  size_t MaxFrame(size_t otherwise) const;

  // Whose certificate came with TLS, if one did: who it stands for is known,
  // where nobody has to say more. False: it stands for nobody.
  bool TakeCertificate(const std::optional<std::string>& subject,
                       const tls::PrincipalRules& rules);
  // Answers the request, now or later. False: it is for the dispatcher.
  bool Take(const RequestContext& context, const SharedBytes& frame,
            const Responder& responder);

 private:
  enum class Step : uint8_t {
    kHandshake,  // or ApiVersions
    kTokens,
    kBadMechanism,  // of a re-authentication: answered, and over
    kFailed,
    kDone,
  };
  using Header = kafka::RequestHeader;

  bool BeginsAgain(const SharedBytes& frame, Instant now);
  void OnHandshake(const RequestContext& context,
                   const kafka::RequestFrame& request,
                   const Responder& responder);
  void OnAuthenticate(const RequestContext& context,
                      const kafka::RequestFrame& request,
                      const Responder& responder);
  void OnRawToken(const RequestContext& context, const SharedBytes& token,
                  const Responder& responder);
  tl::expected<std::string, sasl::Refusal> Evaluate(std::string_view token);
  // What the client hears of it.
  std::string MessageFor(const sasl::Refusal& refusal) const;
  void Complete(Instant now);
  void Fail(const RequestContext& context, const std::string& why,
            Result<kafka::EncodedFrame> answer, const Responder& responder);
  // Without an answer, at once.
  void Close(const RequestContext& context, const std::string& why,
             const Responder& responder);

  const SaslServer* const server_;
  NetworkMetrics& metrics_;
  std::string principal_ = "User:ANONYMOUS";
  Step step_ = Step::kHandshake;
  bool again_ = false;  // it was done before
  bool raw_ = false;    // tokens come without a header
  int versions_asked_ = 0;
  const SaslServer::Mechanism* mechanism_ = nullptr;
  std::unique_ptr<sasl::Exchange> exchange_;
  std::optional<Instant> session_ends_;
  Instant began_;
};

}  // namespace tidemark::server
