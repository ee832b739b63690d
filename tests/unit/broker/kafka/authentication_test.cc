#include "broker/kafka/authentication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/kafka/codec.h"
#include "common/kafka/messages/api_versions.h"
#include "common/kafka/messages/metadata.h"
#include "common/kafka/messages/sasl_authenticate.h"
#include "common/kafka/messages/sasl_handshake.h"
#include "common/sasl/scram.h"
#include "tests/unit/broker/kafka/test_services.h"

namespace tidemark::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using Kind = Answer::Kind;

constexpr Duration kSession = seconds(100);
const std::string kAlice("\0alice\0secret", 13);
const std::string kBob("\0bob\0other", 10);

class AuthenticationTest : public ::testing::Test {
 protected:
  AuthenticationTest() {
    SaslServer::Options options;
    options.mechanisms = {{"PLAIN", kSession}, {"SCRAM-SHA-256", kSession}};
    options.plain_users.Add("alice", "secret");
    options.plain_users.Add("bob", "other");
    server_ =
        std::make_unique<SaslServer>(std::move(options), cluster_.metadata);
    Connect();
  }
  void Connect() {
    one_ = std::make_unique<Authentication>(server_.get(), metrics_,
                                            cluster_.executor.Now());
  }

  // nullopt: it is for the dispatcher.
  std::optional<Answer> Take(SharedBytes frame) {
    std::optional<Answer> answer;
    RequestContext context = cluster_.Context(0);
    Responder responder([&](Answer given) { answer = std::move(given); });
    const bool taken = one_->Take(context, frame, responder);
    if (!taken) {
      responder.SendNothing();
      return std::nullopt;
    }
    if (!answer) {
      // Somebody who is refused waits.
      cluster_.executor.Advance(milliseconds(99));
      EXPECT_FALSE(answer);
      cluster_.executor.Advance(milliseconds(1));
    }
    return answer;
  }
  template <class Request>
  static SharedBytes Frame(const Request& request, int16_t version) {
    const std::string bytes =
        kafka::EncodeRequest(request, version, 5, "test").value().Flatten();
    return SharedBytes(bytes.substr(4));
  }
  template <class Response>
  static Response Read(const Answer& answer, int16_t version) {
    const auto header = kafka::DecodeResponseHeader(
        SharedBytes(answer.frame.Flatten().substr(4)), Response::kKey, version);
    return kafka::DecodeResponse<Response>(header.value().body, version)
        .value();
  }
  std::optional<Answer> Ask(const std::string& mechanism, int16_t version = 1) {
    kafka::SaslHandshakeRequest request;
    request.mechanism = mechanism;
    return Take(Frame(request, version));
  }
  std::optional<Answer> Say(const std::string& token, int16_t version = 1) {
    kafka::SaslAuthenticateRequest request;
    request.auth_bytes = SharedBytes(token);
    return Take(Frame(request, version));
  }
  kafka::SaslAuthenticateResponse Said(const std::string& token,
                                       int16_t version = 1) {
    return Read<kafka::SaslAuthenticateResponse>(Say(token, version).value(),
                                                 version);
  }
  void LogIn() {
    EXPECT_EQ(Ask("PLAIN")->kind, Kind::kFrame);
    EXPECT_EQ(Said(kAlice).error_code, 0);
    EXPECT_TRUE(one_->done());
  }
  static bool IsSilent(const std::optional<Answer>& answer) {
    return answer && answer->kind == Kind::kLast && answer->frame.size == 0;
  }

  TestCluster cluster_;
  NetworkMetrics metrics_;
  std::unique_ptr<SaslServer> server_;
  std::unique_ptr<Authentication> one_;
};

TEST_F(AuthenticationTest, WhoLogsInIsServed) {
  EXPECT_FALSE(one_->done());
  EXPECT_EQ(one_->MaxFrame(100 << 20), 512u << 10);
  EXPECT_FALSE(Take(Frame(kafka::ApiVersionsRequest(), 0)));
  const auto asked = Ask("PLAIN");
  EXPECT_THAT(Read<kafka::SaslHandshakeResponse>(*asked, 1).mechanisms,
              ElementsAre("PLAIN", "SCRAM-SHA-256"));
  const auto said = Said(kAlice);
  EXPECT_EQ(said.error_code, 0);
  EXPECT_EQ(said.session_lifetime_ms, 100'000);
  EXPECT_EQ(one_->principal(), "User:alice");
  EXPECT_EQ(one_->MaxFrame(100 << 20), 100u << 20);
  EXPECT_FALSE(Take(Frame(kafka::MetadataRequest(), 4)));
  EXPECT_EQ(metrics_.authentications, 1u);
}

TEST_F(AuthenticationTest, TokensMayComeWithoutAHeader) {
  EXPECT_EQ(Ask("PLAIN", 0)->kind, Kind::kFrame);
  const auto answer = Take(SharedBytes(kAlice));
  EXPECT_EQ(answer->frame.Flatten(), std::string(4, '\0'));
  EXPECT_EQ(one_->principal(), "User:alice");
  Connect();
  EXPECT_EQ(Ask("PLAIN", 0)->kind, Kind::kFrame);
  EXPECT_TRUE(IsSilent(Take(SharedBytes(std::string("\0alice\0x", 8)))));
  EXPECT_FALSE(one_->done());
}

TEST_F(AuthenticationTest, WhoIsRefusedHearsSoAndIsOut) {
  Ask("PLAIN");
  const auto answer = Say(std::string("\0alice\0wrong", 12));
  EXPECT_EQ(answer->kind, Kind::kLast);
  const auto said = Read<kafka::SaslAuthenticateResponse>(*answer, 1);
  EXPECT_EQ(said.error_code, 58);
  EXPECT_EQ(said.error_message,
            "Authentication failed: Invalid username or password");
  EXPECT_TRUE(IsSilent(Say(kAlice))) << "once";
  EXPECT_FALSE(one_->done());
  EXPECT_EQ(one_->principal(), "User:ANONYMOUS");
  EXPECT_EQ(metrics_.authentications_failed, 1u);
}

TEST_F(AuthenticationTest, NothingElseBefore) {
  EXPECT_TRUE(IsSilent(Take(Frame(kafka::MetadataRequest(), 4))));
  Connect();
  EXPECT_TRUE(IsSilent(Say(kAlice))) << "no handshake before";
  Connect();
  EXPECT_TRUE(IsSilent(Take(SharedBytes(std::string("x")))));
  EXPECT_TRUE(IsSilent(Take(Frame(kafka::ApiVersionsRequest(), 0))));
  Connect();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(Take(Frame(kafka::ApiVersionsRequest(), 0)));
  }
  EXPECT_TRUE(IsSilent(Take(Frame(kafka::ApiVersionsRequest(), 0))));
  Connect();
  Ask("PLAIN");
  const auto late = Ask("PLAIN");
  EXPECT_EQ(late->kind, Kind::kLast);
  EXPECT_EQ(Read<kafka::SaslHandshakeResponse>(*late, 1).error_code, 34);
  Connect();
  Ask("PLAIN");
  EXPECT_TRUE(IsSilent(Take(Frame(kafka::MetadataRequest(), 4))));
  EXPECT_FALSE(one_->done());
}

TEST_F(AuthenticationTest, MechanismsThatThereAre) {
  const auto answer = Ask("GSSAPI");
  EXPECT_EQ(answer->kind, Kind::kLast);
  const auto said = Read<kafka::SaslHandshakeResponse>(*answer, 1);
  EXPECT_EQ(said.error_code, 33);
  EXPECT_THAT(said.mechanisms, ElementsAre("PLAIN", "SCRAM-SHA-256"));
}

TEST_F(AuthenticationTest, SessionsEnd) {
  LogIn();
  cluster_.executor.Advance(kSession);
  EXPECT_FALSE(Take(Frame(kafka::MetadataRequest(), 4)));
  cluster_.executor.Advance(milliseconds(1));
  EXPECT_TRUE(IsSilent(Take(Frame(kafka::MetadataRequest(), 4))));
  EXPECT_EQ(metrics_.sessions_expired, 1u);
}

TEST_F(AuthenticationTest, TheSameUserLogsInAgain) {
  LogIn();
  // Also when it is late.
  cluster_.executor.Advance(kSession + seconds(1));
  EXPECT_EQ(Ask("PLAIN")->kind, Kind::kFrame);
  EXPECT_FALSE(one_->done());
  EXPECT_EQ(Said(kAlice).session_lifetime_ms, 100'000);
  EXPECT_TRUE(one_->done());
  EXPECT_EQ(one_->principal(), "User:alice");
  EXPECT_EQ(metrics_.reauthentications, 1u);
  // Not at once once more: that is for a handler, which says no.
  EXPECT_FALSE(Ask("PLAIN"));
  cluster_.executor.Advance(seconds(2));
  EXPECT_TRUE(Ask("PLAIN"));
  // And nothing between.
  EXPECT_TRUE(IsSilent(Take(Frame(kafka::MetadataRequest(), 4))));
}

TEST_F(AuthenticationTest, AnotherUserDoesNot) {
  LogIn();
  Ask("PLAIN");
  const auto said = Said(kBob);
  EXPECT_EQ(said.error_code, 58);
  EXPECT_THAT(said.error_message.value(),
              HasSubstr("Cannot change principals"));
  EXPECT_TRUE(IsSilent(Take(Frame(kafka::MetadataRequest(), 4))));
}

TEST_F(AuthenticationTest, NorByAnotherMechanism) {
  LogIn();
  Ask("SCRAM-SHA-256");
  EXPECT_TRUE(IsSilent(Say("n,,n=alice,r=abc")));
}

TEST_F(AuthenticationTest, WhoseUserIsGoneIsOut) {
  const auto keys = sasl::KeysOf(
      sasl::Hash::kSha256, sasl::Pbkdf2(sasl::Hash::kSha256, "x", "salt", 4096),
      "salt", 4096);
  metadata::v1::Record record;
  auto* set = record.mutable_set_scram_credential();
  set->set_user("carol");
  set->set_mechanism(metadata::v1::SCRAM_SHA_256);
  set->set_salt(keys.salt);
  set->set_stored_key(keys.stored_key);
  set->set_server_key(keys.server_key);
  set->set_iterations(keys.iterations);
  cluster_.Apply(record);
  Ask("SCRAM-SHA-256");
  const auto known = Said("n,,n=carol,r=abc");
  EXPECT_EQ(known.error_code, 0);
  EXPECT_THAT(known.auth_bytes.view(), HasSubstr(",s=c2FsdA==,i=4096"));
  metadata::v1::Record gone;
  gone.mutable_remove_scram_credential()->set_user("carol");
  gone.mutable_remove_scram_credential()->set_mechanism(
      metadata::v1::SCRAM_SHA_256);
  cluster_.Apply(gone);
  Connect();
  Ask("SCRAM-SHA-256");
  const auto unknown = Said("n,,n=carol,r=abc");
  EXPECT_EQ(unknown.error_code, 0) << "nobody can tell yet";
  const std::string text(unknown.auth_bytes.view());
  const auto refused =
      Said("c=biws," + text.substr(0, text.find(",s=")) + ",p=AAAA");
  EXPECT_EQ(refused.error_code, 58);
  EXPECT_EQ(refused.error_message,
            "Authentication failed during authentication due to invalid "
            "credentials with SASL mechanism SCRAM-SHA-256");
}

TEST_F(AuthenticationTest, CertificatesStandForUsers) {
  const auto rules =
      tls::PrincipalRules::Parse("RULE:^CN=(.*),O=x$/$1/U").value();
  Authentication plain(nullptr, metrics_, cluster_.executor.Now());
  EXPECT_TRUE(plain.done());
  EXPECT_TRUE(plain.TakeCertificate(std::nullopt, rules));
  EXPECT_EQ(plain.principal(), "User:ANONYMOUS");
  EXPECT_FALSE(plain.TakeCertificate("CN=a,O=y", rules));
  EXPECT_TRUE(plain.TakeCertificate("CN=a,O=x", rules));
  EXPECT_EQ(plain.principal(), "User:A");
  // Who has to say it is not known by a certificate.
  EXPECT_TRUE(one_->TakeCertificate("CN=a,O=y", rules));
  EXPECT_EQ(one_->principal(), "User:ANONYMOUS");
}

}  // namespace
}  // namespace tidemark::server
