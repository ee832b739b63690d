#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/kafka/handlers/handlers.h"
#include "common/kafka/messages/alter_user_scram_credentials.h"
#include "common/kafka/messages/describe_client_quotas.h"
#include "common/kafka/messages/describe_user_scram_credentials.h"
#include "common/kafka/messages/sasl_authenticate.h"
#include "common/kafka/messages/sasl_handshake.h"
#include "common/sasl/scram.h"
#include "tests/unit/broker/kafka/test_services.h"

namespace tidemark::server {
namespace {

using Ask = admin::v1::AlterScramCredentialsRequest;
using Answer = admin::v1::AlterScramCredentialsResponse;

metadata::v1::Record Set(const std::string& user,
                         metadata::v1::ScramMechanism mechanism,
                         const std::string& key = {}) {
  const size_t bytes = mechanism == metadata::v1::SCRAM_SHA_512 ? 64 : 32;
  metadata::v1::Record record;
  auto* set = record.mutable_set_scram_credential();
  set->set_user(user);
  set->set_mechanism(mechanism);
  set->set_salt("salt");
  set->set_stored_key(key.empty() ? std::string(bytes, 'k') : key);
  set->set_server_key(std::string(bytes, 's'));
  set->set_iterations(4096);
  return record;
}

class ScramHandlersTest : public ::testing::Test {
 protected:
  using Described = kafka::DescribeUserScramCredentialsResponse;
  Described Describe(std::vector<std::string> users) {
    kafka::DescribeUserScramCredentialsRequest request;
    for (auto& user : users) {
      if (!request.users) request.users.emplace();
      request.users->push_back({std::move(user)});
    }
    return cluster_.Ask(&HandleDescribeUserScramCredentials, request, 0);
  }
  TestCluster cluster_;
};

TEST_F(ScramHandlersTest, CredentialsAreDescribed) {
  cluster_.Apply(Set("", metadata::v1::SCRAM_SHA_256));
  cluster_.Apply(Set("bob", metadata::v1::SCRAM_SHA_512));
  cluster_.Apply(Set("alice", metadata::v1::SCRAM_SHA_256));
  cluster_.Apply(Set("alice", metadata::v1::SCRAM_SHA_512));
  const auto all = Describe({});
  ASSERT_EQ(all.results.size(), 2u);
  EXPECT_EQ(all.results[0].user, "alice");
  EXPECT_EQ(all.results[0].credential_infos.size(), 2u);
  EXPECT_EQ(all.results[1].credential_infos[0].mechanism, 2);
  EXPECT_EQ(all.results[1].credential_infos[0].iterations, 4096);
  const auto some = Describe({"bob", "nobody", "", "alice", "alice"});
  std::map<std::string, int16_t> codes;
  for (const auto& result : some.results) {
    codes[result.user] = result.error_code;
    EXPECT_EQ(result.credential_infos.empty(), result.error_code != 0);
  }
  EXPECT_EQ(codes, (std::map<std::string, int16_t>{
                       {"alice", 92}, {"bob", 0}, {"nobody", 91}, {"", 91}}));
}

TEST_F(ScramHandlersTest, TheSaltedPasswordStaysHere) {
  const std::string salted(32, 'p');
  kafka::AlterUserScramCredentialsRequest request;
  auto& set = request.upsertions.emplace_back();
  set.name = "alice";
  set.mechanism = 1;
  set.iterations = 5000;
  set.salt = SharedBytes(std::string("salt"));
  set.salted_password = SharedBytes(salted);
  request.deletions.push_back({"bob", 2});
  cluster_.controller.on_credentials = [&](const Ask& ask) -> Result<Answer> {
    cluster_.Apply(Set("alice", metadata::v1::SCRAM_SHA_256,
                       ask.upsertions(0).stored_key()));
    Answer answer;
    answer.add_results()->set_user("alice");
    auto* refused = answer.add_results();
    refused->set_user("bob");
    refused->set_code(91);
    refused->set_message("not there");
    return answer;
  };
  const auto response =
      cluster_.Ask(&HandleAlterUserScramCredentials, request, 0);
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(response.results[0].error_code, 0);
  EXPECT_EQ(response.results[1].error_code, 91);
  EXPECT_EQ(response.results[1].error_message, "not there");
  const Ask& ask = cluster_.controller.credentials.at(0);
  const auto keys = sasl::KeysOf(sasl::Hash::kSha256, salted, "salt", 5000);
  EXPECT_EQ(ask.upsertions(0).stored_key(), keys.stored_key);
  EXPECT_EQ(ask.upsertions(0).server_key(), keys.server_key);
  EXPECT_EQ(ask.upsertions(0).iterations(), 5000);
  EXPECT_EQ(ask.deletions(0).user(), "bob");
  EXPECT_EQ(ask.SerializeAsString().find(salted), std::string::npos);
}

TEST_F(ScramHandlersTest, EachUserHearsWhyNothingIsDone) {
  kafka::AlterUserScramCredentialsRequest request;
  request.deletions = {{"bob", 2}, {"bob", 1}, {"alice", 1}};
  auto response = cluster_.Ask(&HandleAlterUserScramCredentials, request, 0);
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(response.results[0].user, "alice");
  EXPECT_EQ(response.results[0].error_code,
            static_cast<int16_t>(ErrorCode::kRequestTimedOut));
  request.deletions = {{"\xff", 2}};
  response = cluster_.Ask(&HandleAlterUserScramCredentials, request, 0);
  EXPECT_EQ(response.results[0].error_code,
            static_cast<int16_t>(ErrorCode::kInvalidRequest));
  EXPECT_EQ(cluster_.controller.credentials.size(), 1u);
}

// Where nobody has to say who it is, or it is said already.
TEST_F(ScramHandlersTest, SaslOutOfPlaceIsRefused) {
  const auto handshake = cluster_.Ask(&HandleSaslHandshake, {}, 1);
  EXPECT_EQ(handshake.error_code, 34);
  EXPECT_TRUE(handshake.mechanisms.empty());
  const auto said = cluster_.Ask(&HandleSaslAuthenticate, {}, 1);
  EXPECT_EQ(said.error_code, 34);
  EXPECT_EQ(
      said.error_message,
      "SaslAuthenticate request received after successful authentication");
}

TEST_F(ScramHandlersTest, ThereAreNoQuotas) {
  const auto quotas = cluster_.Ask(&HandleDescribeClientQuotas, {}, 1);
  EXPECT_EQ(quotas.error_code, 0);
  ASSERT_TRUE(quotas.entries.has_value());
  EXPECT_TRUE(quotas.entries->empty());
}

}  // namespace
}  // namespace tidemark::server
