#include "broker/server/listener_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidemark::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr char kPlain[] =
    ".plain.sasl.jaas.config=org.apache.kafka.common.security.plain."
    "PlainLoginModule required username=\"x\" user_alice=\"secret\" "
    "user_b-b=\"b\";";

Result<BrokerConfig> Parse(std::vector<std::string> overrides) {
  Config::Sources sources;
  sources.overrides = {"node.id=1", "controller.quorum.voters=1@127.0.0.1:9093",
                       "listeners=PLAINTEXT://:1,A://:2,B://:3",
                       "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,"
                       "A:SASL_PLAINTEXT,B:SASL_SSL"};
  sources.overrides.insert(sources.overrides.end(), overrides.begin(),
                           overrides.end());
  auto config = Config::Load(BrokerConfigKeys(), sources);
  if (!config) return Fail(config.error());
  return BrokerConfig::Parse(std::move(*config));
}

std::vector<std::string> NamesOf(const SaslServer& server) {
  std::vector<std::string> names;
  for (const auto& mechanism : server.options().mechanisms) {
    names.push_back(mechanism.name);
  }
  return names;
}

TEST(ListenerIdentity, IsWhatTheSettingsSay) {
  const auto config =
      Parse({"sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256",
             "listener.name.a.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256",
             std::string("listener.name.A") + kPlain,
             "connections.max.reauth.ms=5000",
             "listener.name.b.connections.max.reauth.ms=7000",
             "listener.name.b.scram-sha-256.connections.max.reauth.ms=9000",
             "listener.name.b.sasl.server.max.receive.size=1000",
             "connection.failed.authentication.delay.ms=0"});
  ASSERT_TRUE(config) << config.error().message;
  ImageHolder metadata;
  const auto a = SaslOf(config->listeners[1], config->raw(), metadata).value();
  EXPECT_THAT(NamesOf(*a), ElementsAre("PLAIN", "SCRAM-SHA-256"));
  EXPECT_EQ(a->Find("SCRAM-SHA-512"), nullptr);
  EXPECT_EQ(a->Find("PLAIN")->max_session, std::chrono::seconds(5));
  EXPECT_EQ(a->options().max_receive_bytes, 524288u);
  EXPECT_EQ(a->options().failure_delay, Duration::zero());
  EXPECT_TRUE(a->options().plain_users.Check("alice", "secret"));
  EXPECT_TRUE(a->options().plain_users.Check("b-b", "b"));
  EXPECT_FALSE(a->options().plain_users.Check("x", ""));
  const auto b = SaslOf(config->listeners[2], config->raw(), metadata).value();
  EXPECT_THAT(NamesOf(*b), ElementsAre("SCRAM-SHA-512", "SCRAM-SHA-256"));
  EXPECT_EQ(b->Find("SCRAM-SHA-256")->max_session, std::chrono::seconds(9));
  EXPECT_EQ(b->Find("SCRAM-SHA-512")->max_session, std::chrono::seconds(7));
  EXPECT_EQ(b->options().max_receive_bytes, 1000u);
}

TEST(ListenerIdentity, BadUsersAreRefusedWithoutAWordOfThem) {
  ImageHolder metadata;
  for (const std::string& jaas :
       {std::string(), std::string("secret"), std::string(kPlain).substr(24),
        std::string("org.example.LoginModule required user_a=\"secret\";"),
        std::string("org.apache.kafka.common.security.plain.PlainLoginModule "
                    "required user_a=\"secret;")}) {
    const auto config =
        Parse({"sasl.enabled.mechanisms=PLAIN",
               "listener.name.a.plain.sasl.jaas.config=" + jaas});
    ASSERT_TRUE(config) << config.error().message;
    const auto server = SaslOf(config->listeners[1], config->raw(), metadata);
    if (jaas.starts_with("org.apache") && jaas.ends_with("b\";")) {
      EXPECT_TRUE(server) << "it is good";
      continue;
    }
    ASSERT_FALSE(server) << jaas;
    EXPECT_THAT(server.error().message,
                HasSubstr("listener.name.a.plain.sasl.jaas.config"));
    EXPECT_THAT(server.error().message, Not(HasSubstr("secret")));
  }
}

TEST(ListenerIdentity, NoDoorIsLeftOpen) {
  const std::string good = "sasl.enabled.mechanisms=SCRAM-SHA-256";
  EXPECT_TRUE(Parse({good}));
  for (const auto& [overrides, part] :
       std::vector<std::pair<std::vector<std::string>, const char*>>{
           {{}, "sasl.enabled.mechanisms"},
           {{"sasl.enabled.mechanisms=GSSAPI"}, "PLAIN|SCRAM-SHA-256"},
           {{good, "listeners=PLAINTEXT://:1"}, "SASL_PLAINTEXT or SASL_SSL"},
           {{"connections.max.reauth.ms=1", "listeners=PLAINTEXT://:1"},
            "SASL_PLAINTEXT or SASL_SSL"},
           {{good, "listener.name.other.sasl.enabled.mechanisms=PLAIN"},
            "listener.name.other"},
           {{good, std::string("listener.name.plaintext") + kPlain},
            "listener.name.plaintext"},
           {{good, "listener.name.a.ssl.client.auth=required"},
            "listener.name.a"},
           {{good, "sasl.jaas.config=x"}, "sasl.jaas.config"},
           {{good, "sasl.mechanism.inter.broker.protocol=PLAIN"},
            "sasl.mechanism.inter.broker.protocol"},
           {{good, "listener.name.a.oauthbearer.sasl.jaas.config=x"},
            "oauthbearer"},
           {{good, "sasl.server.callback.handler.class=x"}, "callback"},
           {{good, "inter.broker.listener.name=A"}, "PLAINTEXT"}}) {
    const auto refused = Parse(overrides);
    ASSERT_FALSE(refused) << part;
    EXPECT_THAT(refused.error().message, HasSubstr(part));
    EXPECT_THAT(refused.error().message, Not(HasSubstr("secret")));
  }
  // What bounds strangers may be said where there are none.
  EXPECT_TRUE(
      Parse({"listeners=PLAINTEXT://:1", "sasl.server.max.receive.size=1",
             "connection.failed.authentication.delay.ms=1"}));
}

TEST(ListenerIdentity, CertificatesStandForWhomTheRulesSay) {
  const auto config =
      Parse({"sasl.enabled.mechanisms=SCRAM-SHA-256",
             "listener.name.b.ssl.principal.mapping.rules=RULE:^CN=(.*)$/$1/"});
  ASSERT_TRUE(config) << config.error().message;
  const auto rules = PrincipalsOf(config->listeners[2], config->raw()).value();
  EXPECT_EQ(rules->Apply("CN=a"), "a");
  EXPECT_EQ(rules->Apply("O=a"), std::nullopt);
  const auto bad = Parse({"sasl.enabled.mechanisms=SCRAM-SHA-256",
                          "listener.name.b.ssl.principal.mapping.rules=x"});
  EXPECT_FALSE(PrincipalsOf(bad->listeners[2], bad->raw()));
}

}  // namespace
}  // namespace tidemark::server
