#include "broker/metadata/broker_config.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/metadata/configs.h"

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<BrokerConfig> Parse(std::vector<std::string> overrides) {
  Config::Sources sources;
  sources.overrides = {"node.id=1",
                       "controller.quorum.voters=1@c1:9093,2@c2:9093",
                       "listener.security.protocol.map=CONTROLLER:PLAINTEXT"};
  sources.overrides.insert(sources.overrides.end(), overrides.begin(),
                           overrides.end());
  auto config = Config::Load(BrokerConfigKeys(), sources);
  if (!config) return Fail(config.error());
  return BrokerConfig::Parse(std::move(*config));
}

TEST(BrokerConfig, DefaultsAreKafkas) {
  auto config = Parse({}).value();
  EXPECT_EQ(config.node_id, 1);
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners[0].name, "PLAINTEXT");
  EXPECT_EQ(config.listeners[0].host, "");
  EXPECT_EQ(config.listeners[0].port, 9092);
  EXPECT_NE(config.advertised_listeners[0].host, "");
  EXPECT_THAT(config.controllers, ElementsAre("c1:9093", "c2:9093"));
  EXPECT_GE(config.shards, 1);
  EXPECT_EQ(config.raw().GetInt("num.partitions"), 1);
  EXPECT_EQ(config.raw().GetInt("offsets.topic.replication.factor"), 3);
  EXPECT_TRUE(config.raw().GetBool("auto.create.topics.enable"));
}

TEST(BrokerConfig, EveryDefaultIsLegal) {
  for (const ConfigKey& key : BrokerConfigKeys()) {
    EXPECT_TRUE(ValidateConfig(key, key.default_value)) << key.name;
    EXPECT_FALSE(key.documentation.empty()) << key.name;
  }
}

TEST(BrokerConfig, ListenersOfAControllerAreNotOurs) {
  auto config = Parse({"process.roles=broker,controller",
                       "listeners=EXTERNAL://[::1]:1,CONTROLLER://:9093",
                       "listener.security.protocol.map=EXTERNAL:PLAINTEXT,"
                       "CONTROLLER:PLAINTEXT",
                       "advertised.listeners=EXTERNAL://example:2"})
                    .value();
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners[0].host, "::1");
  EXPECT_EQ(config.advertised_listeners[0].host, "example");
  EXPECT_EQ(config.advertised_listeners[0].port, 2);
  EXPECT_EQ(config.inter_broker_listener, "EXTERNAL");
}

// Whoever listens to the network must not read passwords because somebody has
// forgotten a line.
TEST(BrokerConfig, PlaintextToOtherMachinesIsSaid) {
  const auto parse = [](const char* map, const char* voters) {
    return Parse({std::string("listener.security.protocol.map=") + map,
                  std::string("controller.quorum.voters=") + voters});
  };
  const auto silent = parse("", "1@127.0.0.1:1,2@c2:9093");
  ASSERT_FALSE(silent);
  EXPECT_THAT(silent.error().message, HasSubstr("c2"));
  EXPECT_THAT(silent.error().message, HasSubstr("CONTROLLER:PLAINTEXT"));
  EXPECT_TRUE(parse("", "1@127.0.0.1:1,2@[::1]:2,3@localhost:3"));
  EXPECT_FALSE(parse("", "1@127.evil.example:1"));
  EXPECT_TRUE(parse("CONTROLLER:PLAINTEXT", "2@c2:9093"));
  EXPECT_TRUE(parse("CONTROLLER:SSL", "2@c2:9093"));
  EXPECT_FALSE(parse("CONTROLLER:SASL_SSL", "2@c2:9093"));
}

TEST(BrokerConfig, CoarseSettingsAreFoldedIntoTheFineOnes) {
  auto value = [](std::vector<std::string> overrides, const char* key) {
    auto config = Parse(std::move(overrides)).value();
    auto found = config.static_values().find(key);
    return found == config.static_values().end() ? "" : found->second;
  };
  EXPECT_EQ(value({"log.retention.hours=2"}, "log.retention.ms"), "7200000");
  EXPECT_EQ(value({"log.retention.hours=2", "log.retention.minutes=1"},
                  "log.retention.ms"),
            "60000");
  EXPECT_EQ(value({"log.retention.hours=2", "log.retention.ms=5"},
                  "log.retention.ms"),
            "5");
  EXPECT_EQ(value({"log.retention.hours=-1"}, "log.retention.ms"), "-1");
  EXPECT_EQ(value({"log.roll.hours=1"}, "log.roll.ms"), "3600000");
  EXPECT_EQ(value({}, "log.retention.ms"), "");
}

TEST(BrokerConfig, WrongValuesAreRefusedWithKeyAndValue) {
  // override, what the message must name
  for (auto [override, part] : std::vector<std::pair<const char*, const char*>>{
           {"node.id=-1", "node.id"},
           {"listeners=9092", "NAME://host:port"},
           {"listeners=PLAINTEXT://:x", "NAME://host:port"},
           {"listeners=PLAINTEXT://:70000", "NAME://host:port"},
           {"listeners=PLAINTEXT://:1,PLAINTEXT://:2", "different names"},
           {"listeners=SSL://:1", "PLAINTEXT"},
           {"listeners=", "at least one"},
           {"listener.security.protocol.map=CONTROLLER:SASL_SSL", "CONTROLLER"},
           {"listener.security.protocol.map=PLAINTEXT:SASL_SSL", "SASL_SSL"},
           {"listener.security.protocol.map=PLAINTEXT", "NAME:PROTOCOL"},
           {"ssl.keystore.location=/x", "ssl.keystore.location"},
           {"sasl.enabled.mechanisms=PLAIN", "sasl.enabled.mechanisms"},
           {"authorizer.class.name=a.B", "authorizer.class.name"},
           {"super.users=User:a", "super.users"},
           {"security.inter.broker.protocol=SSL", "security.inter.broker"},
           {"listener.name.my.own.ssl.client.auth=required", "my.own"},
           {"listeners=CLIENTS://:1", "listener.security.protocol.map"},
           {"listeners=PLAINTEXT://:1,plaintext://:2", "different names"},
           {"advertised.listeners=OTHER://h:1", "names in listeners"},
           {"advertised.listeners=PLAINTEXT://0.0.0.0:1", "connect to"},
           {"inter.broker.listener.name=OTHER", "names in listeners"},
           {"controller.quorum.voters=c1:9093", "id@host:port"},
           {"controller.quorum.voters=", "controller.quorum.voters"},
           {"log.dirs=", "log.dirs"},
           {"num.partitions=0", "num.partitions"},
           {"auto.create.topics.enable=yes", "true or false"}}) {
    auto config = Parse({override});
    ASSERT_FALSE(config) << override;
    EXPECT_THAT(config.error().message, HasSubstr(part));
  }
}

TEST(BrokerConfig, AMisspeltKeyIsAWarningThatNamesTheRightOne) {
  auto config = Parse({"log.retention.hour=1"}).value();
  EXPECT_THAT(config.raw().warnings(),
              ElementsAre(HasSubstr("log.retention.hours")));
}

// The broker's source text. A key counts as read when it is named anywhere but
// in the table, or is the default of a topic setting that has an effect.
bool IsRead(const std::string& sources, std::string_view key) {
  const std::string quoted = '"' + std::string(key) + '"';
  const size_t first = sources.find(quoted);
  if (first == std::string::npos) return false;
  return sources.find(quoted, first + 1) != std::string::npos;
}

bool HasTopicKey(std::string_view key) {
  for (const ConfigKey& topic : metadata::TopicConfigKeys()) {
    if (metadata::BrokerKeyOfTopicKey(topic.name) == key) {
      return metadata::CheckHasEffect(topic.name, "7").has_value();
    }
  }
  return false;
}

TEST(BrokerConfig, TheTableSaysWhatTheCodeAsksFor) {
  std::string sources;
  for (const char* root : {"broker", "common/base", "common/rpc", "common/tls",
                           "common/authorization"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(root)) {
      if (entry.path().extension() != ".cc") continue;
      std::ifstream file(entry.path());
      sources.append(std::istreambuf_iterator<char>(file), {});
    }
  }
  ASSERT_TRUE(IsRead(sources, "node.id")) << "run from the repository's root";
  std::vector<std::string_view> unread = BrokerKeysOfControllers();
  for (std::string_view key : BrokerKeysWithoutEffect()) unread.push_back(key);
  for (const ConfigKey& key : BrokerConfigKeys()) {
    // The lists themselves name their keys once more.
    if (std::ranges::count(unread, key.name) > 0) continue;
    EXPECT_TRUE(IsRead(sources, key.name) || HasTopicKey(key.name))
        << key.name << " is read nowhere: list it, so that it is refused";
  }
}

TEST(BrokerConfig, WhatNothingActsOnIsRefusedUnlessItIsTheDefault) {
  for (std::string_view name : BrokerKeysWithoutEffect()) {
    for (const ConfigKey& key : BrokerConfigKeys()) {
      if (key.name != name) continue;
      const std::string text(name);
      EXPECT_TRUE(Parse({text + "=" + std::string(key.default_value)})) << name;
      if (key.type == ConfigType::kString) continue;  // one value is legal
      auto refused = Parse({text + "=12345"});
      ASSERT_FALSE(refused) << name;
      EXPECT_THAT(refused.error().message, HasSubstr(text));
      EXPECT_THAT(refused.error().message, HasSubstr("without effect"));
    }
  }
}

}  // namespace
}  // namespace tidemark
