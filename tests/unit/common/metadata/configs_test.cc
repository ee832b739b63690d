#include "common/metadata/configs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/metadata/apply.h"
#include "common/metadata/throttled_replicas.h"

namespace tidemark::metadata {
namespace {

ImagePtr With(std::vector<std::array<std::string, 3>> broker_configs,
              const std::string& topic_value) {
  v1::RecordBatch batch;
  auto* topic = batch.add_records()->mutable_add_topic();
  topic->set_name("t");
  topic->set_topic_id(std::string(16, 'x'));
  if (!topic_value.empty()) {
    auto* set = batch.add_records()->mutable_set_config();
    set->set_type(v1::TOPIC);
    set->set_name("t");
    set->set_key("retention.ms");
    set->set_value(topic_value);
  }
  for (const auto& [name, key, value] : broker_configs) {
    auto* set = batch.add_records()->mutable_set_config();
    set->set_type(v1::BROKER);
    set->set_name(name);
    set->set_key(key);
    set->set_value(value);
  }
  return *ApplyBatch(nullptr, batch, 1, nullptr);
}

TEST(TopicConfigs, DefaultsAreValid) {
  for (const ConfigKey& key : TopicConfigKeys()) {
    EXPECT_TRUE(ValidateConfig(key, key.default_value)) << key.name;
    EXPECT_FALSE(key.documentation.empty()) << key.name;
    const std::string_view of_brokers = BrokerKeyOfTopicKey(key.name);
    EXPECT_EQ(of_brokers.empty(),
              key.name.ends_with("replication.throttled.replicas"))
        << key.name;
    EXPECT_EQ(TopicKeyOfBrokerKey(of_brokers),
              of_brokers.empty() ? "" : key.name);
  }
}

TEST(TopicConfigs, ResolvedInKafkasOrder) {
  std::map<std::string, std::string> file{{"log.retention.ms", "4"}};
  std::string key = "log.retention.ms";
  auto resolve = [&](ImagePtr image, NodeId broker) {
    return ResolveTopicConfig(*image, "t", "retention.ms", broker, file);
  };
  auto topic = resolve(With({{"1", key, "2"}, {"", key, "3"}}, "1"), 1);
  EXPECT_EQ(topic.value, "1");
  EXPECT_EQ(topic.source, ConfigSource::kTopic);
  auto broker = resolve(With({{"1", key, "2"}, {"", key, "3"}}, ""), 1);
  EXPECT_EQ(broker.value, "2");
  EXPECT_EQ(broker.source, ConfigSource::kDynamicBroker);
  auto other = resolve(With({{"1", key, "2"}, {"", key, "3"}}, ""), 2);
  EXPECT_EQ(other.value, "3");
  EXPECT_EQ(other.source, ConfigSource::kDynamicDefaultBroker);
  auto from_file = resolve(With({}, ""), 1);
  EXPECT_EQ(from_file.value, "4");
  EXPECT_EQ(from_file.source, ConfigSource::kStaticBroker);
  file = {{"log.retention.hours", "2"}};
  EXPECT_EQ(resolve(With({}, ""), 1).value, "7200000");
  file.clear();
  EXPECT_EQ(resolve(With({}, ""), 1).value, "604800000");
  EXPECT_EQ(resolve(With({}, ""), 1).source, ConfigSource::kDefault);
}

TEST(TopicConfigs, UnknownKeyHasNoValue) {
  EXPECT_EQ(ResolveTopicConfig(Image(), "t", "nope", 1, {}).source,
            ConfigSource::kUnknown);
  EXPECT_EQ(BrokerKeyOfTopicKey("nope"), "");
}

TEST(TopicConfigs, WhatNothingActsOnIsRefusedUnlessItIsTheDefault) {
  for (std::string_view name : TopicKeysWithoutEffect()) {
    const auto keys = TopicConfigKeys();
    const auto key = std::find_if(
        keys.begin(), keys.end(),
        [&](const ConfigKey& candidate) { return candidate.name == name; });
    ASSERT_NE(key, keys.end()) << name;
    EXPECT_TRUE(CheckHasEffect(name, key->default_value)) << name;
    for (std::string_view asked : {name, BrokerKeyOfTopicKey(name)}) {
      if (asked.empty()) continue;
      Status refused = CheckHasEffect(asked, "7");
      ASSERT_FALSE(refused) << asked;
      EXPECT_EQ(refused.error().code, ErrorCode::kInvalidConfig);
      EXPECT_NE(refused.error().message.find(asked), std::string::npos);
    }
  }
  EXPECT_TRUE(CheckHasEffect("min.cleanable.dirty.ratio", "0.1"));
  EXPECT_TRUE(CheckHasEffect("file.delete.delay.ms", "060000"));
  EXPECT_TRUE(CheckHasEffect("retention.ms", "7"));
  EXPECT_TRUE(CheckHasEffect("cleanup.policy", "compact"));
}

TEST(ThrottledReplicas, AListOrAll) {
  for (const char* good : {"", "*", " * ", "0:1", "0:1,1:2, 12:345"}) {
    EXPECT_TRUE(CheckThrottledReplicas("k", good)) << good;
  }
  for (const char* bad : {"x", "0", "0:", ":1", "0:1,", "0:1,,1:2", "-1:2",
                          "0:1:2", "*,0:1", "99999999999:1", "0:1,*"}) {
    const Status refused = CheckThrottledReplicas("k", bad);
    // A comma at the end is none to Kafka either.
    if (std::string_view(bad) == "0:1,") continue;
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidConfig);
  }
  EXPECT_TRUE(IsThrottledReplica("*", 7, 8));
  EXPECT_TRUE(IsThrottledReplica("0:1, 7:8,1:2", 7, 8));
  EXPECT_FALSE(IsThrottledReplica("0:1,7:9,8:8,17:8,7:88", 7, 8));
  EXPECT_FALSE(IsThrottledReplica("", 7, 8));
}

TEST(BrokerConfigs, ByNameAndFromTheFile) {
  const std::map<std::string, std::string> file{
      {"follower.replication.throttled.rate", "4"}};
  const auto resolve = [&](const ImagePtr& image, std::string_view key) {
    return ResolveBrokerConfig(*image, key, 1, file);
  };
  const std::string key = "follower.replication.throttled.rate";
  EXPECT_EQ(resolve(With({{"1", key, "2"}, {"", key, "3"}}, ""), key).value,
            "2");
  EXPECT_EQ(resolve(With({{"2", key, "2"}, {"", key, "3"}}, ""), key).value,
            "3");
  EXPECT_EQ(resolve(With({}, ""), key).source, ConfigSource::kStaticBroker);
  EXPECT_EQ(resolve(With({}, ""), "leader.replication.throttled.rate").source,
            ConfigSource::kDefault);
  EXPECT_EQ(resolve(With({}, ""), "node.id").source, ConfigSource::kUnknown);
}

// All source text that may read a setting; the tables themselves apart.
std::string Sources() {
  std::string out;
  for (const char* root : {"broker", "controller", "common"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(root)) {
      const std::string path = entry.path().string();
      if (!path.ends_with(".cc") || path.ends_with("/configs.cc") ||
          path.ends_with("_config.cc")) {
        continue;
      }
      std::ifstream file(path);
      out.append(std::istreambuf_iterator<char>(file), {});
    }
  }
  return out;
}

TEST(TopicConfigs, TheTableSaysWhatTheCodeAsksFor) {
  const std::string sources = Sources();
  ASSERT_NE(sources.find("\"retention.ms\""), std::string::npos)
      << "run from the repository's root";
  const auto without = TopicKeysWithoutEffect();
  for (const ConfigKey& key : TopicConfigKeys()) {
    const bool read =
        sources.find('"' + std::string(key.name) + '"') != std::string::npos;
    const bool listed =
        std::find(without.begin(), without.end(), key.name) != without.end();
    EXPECT_NE(read, listed)
        << key.name
        << (read
                ? " is read: take it off kUnread in common/metadata/configs.cc"
                : " is read nowhere: put it on kUnread, so that it is refused");
  }
}

}  // namespace
}  // namespace tidemark::metadata
