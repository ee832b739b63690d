#include "broker/kafka/authentication.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/kafka/codec.h"
#include "common/kafka/messages/api_versions.h"
#include "common/kafka/messages/sasl_authenticate.h"
#include "common/kafka/messages/sasl_handshake.h"
#include "common/kafka/printer.h"
#include "common/record/big_endian.h"

namespace tidemark::server {
namespace {

using kafka::ApiKey;

// One in a version that is not served, and one that is.
constexpr int kMostVersionsAsked = 2;
constexpr Duration kLeastBetween = std::chrono::seconds(1);  // KIP-368

bool IsHandshake(const SharedBytes& frame) {
  return frame.size() >= sizeof(int16_t) &&
         record::LoadBigEndian<int16_t>(frame.data()) ==
             static_cast<int16_t>(ApiKey::kSaslHandshake);
}

// Without a header, as after SaslHandshake version 0.
kafka::EncodedFrame RawFrame(std::string_view token) {
  std::string bytes(sizeof(int32_t), '\0');
  record::StoreBigEndian(static_cast<int32_t>(token.size()), bytes.data());
  bytes += token;
  kafka::EncodedFrame frame;
  frame.size = bytes.size();
  frame.chunks.emplace_back(SharedBytes(std::move(bytes)));
  return frame;
}

template <class Response>
Result<kafka::EncodedFrame> Encode(const Response& response,
                                   const kafka::RequestHeader& header) {
  return kafka::EncodeResponse(response, header.api_version,
                               header.correlation_id);
}

// An answer of that kind; what is not served here has none.
Result<kafka::EncodedFrame> IllegalState(const kafka::RequestHeader& header,
                                         const std::string& why) {
  const auto code = static_cast<int16_t>(ErrorCode::kIllegalSaslState);
  const int16_t version = header.api_version;
  if (header.api_key == ApiKey::kSaslHandshake && version >= 0 &&
      version <= kafka::SaslHandshakeResponse::kMaxVersion) {
    return Encode(kafka::SaslHandshakeResponse{code, {}}, header);
  }
  if (header.api_key == ApiKey::kApiVersions && version >= 0 &&
      version <= kafka::ApiVersionsResponse::kMaxVersion) {
    kafka::ApiVersionsResponse response;
    response.error_code = code;
    return Encode(response, header);
  }
  return tidemark::Fail(ErrorCode::kIllegalSaslState, why);
}

}  // namespace

size_t Authentication::MaxFrame(size_t otherwise) const {
  return done() ? otherwise
                : std::min(otherwise, server_->options().max_receive_bytes);
}

bool Authentication::TakeCertificate(const std::optional<std::string>& subject,
                                     const tls::PrincipalRules& rules) {
  if (server_ != nullptr || !subject) return true;
  const auto name = rules.Apply(*subject);
  if (!name) return false;
  principal_ = "User:" + *name;
  return true;
}

bool Authentication::Take(const RequestContext& context,
                          const SharedBytes& frame,
                          const Responder& responder) {
  if (server_ == nullptr) return false;
  const Instant now = context.executor->Now();
  if (step_ == Step::kDone && !BeginsAgain(frame, now)) {
    if (!session_ends_ || now <= *session_ends_) return false;
    metrics_.sessions_expired.fetch_add(1, std::memory_order_relaxed);
    Close(context, "its session has expired", responder);
    return true;
  }
  if (step_ == Step::kTokens && raw_) {
    OnRawToken(context, frame, responder);
    return true;
  }
  const auto request = kafka::DecodeRequestHeader(frame);
  if (!request || step_ == Step::kBadMechanism || step_ == Step::kFailed) {
    Close(context, request ? "a request after a refusal" : "no request header",
          responder);
    return true;
  }
  if (step_ == Step::kTokens) {
    OnAuthenticate(context, *request, responder);
    return true;
  }
  if (request->header.api_key == ApiKey::kApiVersions && !again_ &&
      versions_asked_++ < kMostVersionsAsked) {
    return false;
  }
  OnHandshake(context, *request, responder);
  return true;
}

bool Authentication::BeginsAgain(const SharedBytes& frame, Instant now) {
  if (!session_ends_ || !IsHandshake(frame)) return false;
  if (again_ && now - began_ < kLeastBetween) return false;
  began_ = now;
  again_ = true;
  step_ = Step::kHandshake;
  return true;
}

void Authentication::OnHandshake(const RequestContext& context,
                                 const kafka::RequestFrame& request,
                                 const Responder& responder) {
  const Header& header = request.header;
  if (header.api_key != ApiKey::kSaslHandshake) {
    return Close(context,
                 "request of type " +
                     std::to_string(static_cast<int16_t>(header.api_key)) +
                     " before authentication",
                 responder);
  }
  const auto asked = kafka::DecodeRequest<kafka::SaslHandshakeRequest>(
      request.body, header.api_version);
  if (!asked) return Close(context, asked.error().message, responder);
  raw_ = header.api_version == 0;
  kafka::SaslHandshakeResponse response;
  for (const auto& mechanism : server_->options().mechanisms) {
    response.mechanisms.push_back(mechanism.name);
  }
  const SaslServer::Mechanism* wanted = server_->Find(asked->mechanism);
  if (wanted == nullptr) {
    response.error_code =
        static_cast<int16_t>(ErrorCode::kUnsupportedSaslMechanism);
    return Fail(context,
                "unsupported mechanism " + kafka::Quoted(asked->mechanism),
                Encode(response, header), responder);
  }
  // A refusal would be final for many a client; a connection that ends is tried
  // again.
  if (!server_->KnowsUsers(*wanted)) {
    return Close(context, "no metadata yet", responder);
  }
  // Kafka says yes here, and closes at the next request.
  const bool changed = again_ && wanted != mechanism_;
  step_ = changed ? Step::kBadMechanism : Step::kTokens;
  if (!changed) {
    mechanism_ = wanted;
    exchange_ = server_->Begin(*wanted);
  }
  auto frame = Encode(response, header);
  if (!frame) return Close(context, frame.error().message, responder);
  responder.Send(std::move(*frame));
}

void Authentication::OnAuthenticate(const RequestContext& context,
                                    const kafka::RequestFrame& request,
                                    const Responder& responder) {
  const Header& header = request.header;
  if (header.api_key != ApiKey::kSaslAuthenticate) {
    const std::string why =
        "request of type " +
        std::to_string(static_cast<int16_t>(header.api_key)) +
        " during authentication";
    return Fail(context, why, IllegalState(header, why), responder);
  }
  const auto asked = kafka::DecodeRequest<kafka::SaslAuthenticateRequest>(
      request.body, header.api_version);
  if (!asked) return Close(context, asked.error().message, responder);
  kafka::SaslAuthenticateResponse response;
  auto said = Evaluate(asked->auth_bytes.view());
  if (!said) {
    response.error_code =
        static_cast<int16_t>(ErrorCode::kSaslAuthenticationFailed);
    response.error_message = MessageFor(said.error());
    return Fail(context, said.error().why, Encode(response, header), responder);
  }
  response.error_message = "";  // Kafka's default
  response.auth_bytes = SharedBytes(std::move(*said));
  if (exchange_->complete()) {
    Complete(context.executor->Now());
    response.session_lifetime_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(
            mechanism_->max_session)
            .count();
  }
  auto frame = Encode(response, header);
  if (!frame) return Close(context, frame.error().message, responder);
  responder.Send(std::move(*frame));
}

void Authentication::OnRawToken(const RequestContext& context,
                                const SharedBytes& token,
                                const Responder& responder) {
  const auto said = Evaluate(token.view());
  if (!said) {
    return Fail(context, said.error().why, kafka::EncodedFrame{}, responder);
  }
  if (exchange_->complete()) Complete(context.executor->Now());
  responder.Send(RawFrame(*said));
}

tl::expected<std::string, sasl::Refusal> Authentication::Evaluate(
    std::string_view token) {
  auto said = exchange_->Evaluate(token);
  if (!said || !exchange_->complete() || !again_) return said;
  const std::string now = "User:" + exchange_->user();
  if (now == principal_) return said;
  return sasl::RefuseOpenly(
      "Cannot change principals during re-authentication from " + principal_ +
      " to " + now);
}

std::string Authentication::MessageFor(const sasl::Refusal& refusal) const {
  if (refusal.for_client) return refusal.why;
  return std::string("Authentication failed during ") +
         (again_ ? "re-authentication" : "authentication") +
         " due to invalid credentials with SASL mechanism " + mechanism_->name;
}

void Authentication::Complete(Instant now) {
  auto& counter =
      again_ ? metrics_.reauthentications : metrics_.authentications;
  counter.fetch_add(1, std::memory_order_relaxed);
  principal_ = "User:" + exchange_->user();
  exchange_.reset();
  step_ = Step::kDone;
  session_ends_.reset();
  if (mechanism_->max_session > Duration::zero()) {
    session_ends_ = now + mechanism_->max_session;
  }
}

void Authentication::Fail(const RequestContext& context, const std::string& why,
                          Result<kafka::EncodedFrame> answer,
                          const Responder& responder) {
  step_ = Step::kFailed;
  exchange_.reset();
  metrics_.authentications_failed.fetch_add(1, std::memory_order_relaxed);
  LOG_EVERY_T(WARNING, 1) << "authentication failed client="
                          << context.client_host
                          << " listener=" << context.listener << " mechanism="
                          << (mechanism_ != nullptr ? mechanism_->name : "none")
                          << " reason=\"" << why << '"';
  auto frame = std::make_shared<kafka::EncodedFrame>();
  if (answer) *frame = std::move(*answer);
  context.executor->PostAfter(
      server_->options().failure_delay,
      [responder, frame] { responder.SendLast(std::move(*frame)); });
}

void Authentication::Close(const RequestContext& context,
                           const std::string& why, const Responder& responder) {
  step_ = Step::kFailed;
  exchange_.reset();
  LOG_EVERY_T(WARNING, 1) << "closing a connection client="
                          << context.client_host
                          << " listener=" << context.listener << " reason=\""
                          << why << '"';
  responder.SendLast({});
}

}  // namespace tidemark::server
