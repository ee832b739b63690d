#include "controller/console/controller_config.h"

#include <gtest/gtest.h>

namespace tidemark::controller {
namespace {

Result<ControllerConfig> Make(std::vector<std::string> overrides) {
  auto config = Config::Load(ControllerConfigKeys(), {"", overrides, {}});
  if (!config) return Fail(config.error());
  return MakeControllerConfig(*config);
}

const std::vector<std::string> kGood = {
    "node.id=2", "controller.quorum.voters=1@a:9093,2@b:9094, 3@[::1]:9095",
    "listener.security.protocol.map=CONTROLLER:PLAINTEXT",
    "metadata.log.dir=/x"};

std::vector<std::string> With(const std::string& entry) {
  auto out = kGood;
  out.push_back(entry);
  return out;
}

TEST(ControllerConfigTest, ReadsVotersAndOwnAddress) {
  auto config = Make(kGood);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->voters.size(), 3u);
  EXPECT_EQ(config->voters[2].host, "::1");
  EXPECT_EQ(config->listen_host, "b");
  EXPECT_EQ(config->listen_port, 9094);
  EXPECT_EQ(config->http->port, 9644);
  EXPECT_FALSE(Make(With("http.port=-1"))->http);
  EXPECT_EQ(config->election_ticks_min, 6u);
  EXPECT_TRUE(Make(With("listeners="))) << "as if it were not there";
  auto listening = Make(With("listeners=CONTROLLER://:19093"));
  EXPECT_EQ(listening->listen_host, "0.0.0.0");
  EXPECT_EQ(listening->listen_port, 19093);
}

// A controller whose quorum is in its log, or that is let into one.
TEST(ControllerConfigTest, KnowsWhomToAskWithoutAListOfVoters) {
  std::vector<std::string> base = {
      "node.id=4", "log.dirs=/d",
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT",
      "controller.quorum.bootstrap.servers=a:9093,[::1]:9094",
      "listeners=CONTROLLER://:9095"};
  // Nobody reaches it anywhere.
  EXPECT_FALSE(Make(base));
  base.push_back("advertised.listeners=CONTROLLER://here:9096");
  auto config = Make(base);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->voters.empty());
  ASSERT_EQ(config->bootstrap_servers.size(), 2u);
  EXPECT_EQ(config->bootstrap_servers[1].host, "::1");
  EXPECT_EQ(config->listen_port, 9095);
  EXPECT_EQ(config->advertised_host, "here");
  EXPECT_EQ(config->advertised_port, 9096);
  EXPECT_FALSE(config->auto_join);
  base.push_back("controller.quorum.auto.join.enable=true");
  EXPECT_TRUE(Make(base)->auto_join);
  base.push_back("controller.quorum.bootstrap.servers=a");
  EXPECT_FALSE(Make(base));
}

TEST(ControllerConfigTest, DefaultsOfTopicsGoToTheDeciders) {
  auto config = Make(With("min.insync.replicas=2"));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->options.settings.static_configs.at("min.insync.replicas"),
            "2");
}

TEST(ControllerConfigTest, SpeaksTlsAsItsListenerSays) {
  std::vector<std::string> secured =
      With("listener.security.protocol.map=CONTROLLER:SSL");
  secured.push_back("ssl.keystore.location=/all");
  secured.push_back("ssl.keystore.password=secret");
  secured.push_back("listener.name.controller.ssl.keystore.location=/own");
  secured.push_back("tidemark.certificate.roles=broker/1:CN=b");
  auto config = Make(secured);
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_TRUE(config->tls);
  EXPECT_EQ(config->tls->keystore.location, "/own");
  EXPECT_EQ(config->tls->keystore.password, "secret");
  // It is shown to whoever asks.
  for (const auto& [key, value] : config->options.settings.static_configs)
    EXPECT_NE(value, "secret") << key;
  for (const char* bad :
       {"tidemark.certificate.roles=clown/1:CN=b",
        "tidemark.certificate.roles=broker/1",
        "listener.name.controller.ssl.client.auth=none",
        "ssl.enabled.protocols=TLSv1.3",
        "ssl.cipher.suites=TLS_AES_128_GCM_SHA256",
        "listener.name.other.ssl.keystore.location=/x",
        "listener.security.protocol.map=CONTROLLER:SASL_SSL"}) {
    auto with = secured;
    with.push_back(bad);
    EXPECT_FALSE(Make(with)) << bad;
  }
}

// Others on the network could read and change what goes over it.
TEST(ControllerConfigTest, PlaintextToOtherMachinesIsSaid) {
  const auto make = [](const char* voters, const char* map) {
    return Make({"node.id=1", "metadata.log.dir=/x",
                 std::string("controller.quorum.voters=") + voters,
                 std::string("listener.security.protocol.map=") + map});
  };
  EXPECT_TRUE(make("1@127.0.0.1:1", ""));
  EXPECT_TRUE(make("1@localhost:1", ""));
  EXPECT_FALSE(make("1@a:1", ""));
  EXPECT_TRUE(make("1@a:1", "CONTROLLER:PLAINTEXT"));
}

TEST(ControllerConfigTest, RefusesWithTheKey) {
  for (const char* bad :
       {"controller.quorum.voters=", "controller.quorum.voters=1@a",
        "controller.quorum.voters=2@b:1,2@c:1",
        "controller.quorum.voters=2@b:1,3@b:1",
        "controller.quorum.voters=2@b:99999", "controller.quorum.voters=x@b:1",
        "listeners=CONTROLLER://b", "listeners=PLAINTEXT://b:1",
        "controller.quorum.election.timeout.ms=100", "http.port=70000",
        "listener.security.protocol.map=",
        "listener.security.protocol.map=CONTROLLER", "ssl.client.auth=required",
        "ssl.keystore.location=/x", "authorizer.class.name=a.B",
        "sasl.mechanism.controller.protocol=PLAIN", "super.users=User:a",
        "principal.builder.class=a.B"}) {
    auto config = Make(With(bad));
    ASSERT_FALSE(config) << bad;
    std::string key = std::string(bad).substr(0, std::string(bad).find('='));
    EXPECT_NE(config.error().message.find(key), std::string::npos)
        << config.error().message;
  }
  auto stranger = Make(With("node.id=9"));
  ASSERT_FALSE(stranger);
  EXPECT_NE(stranger.error().message.find("controller.quorum.voters"),
            std::string::npos);
  EXPECT_FALSE(Make({"node.id=1", "controller.quorum.voters=1@a:1"}));
}

}  // namespace
}  // namespace tidemark::controller
