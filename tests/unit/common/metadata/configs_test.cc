#include "common/metadata/configs.h"

#include <gtest/gtest.h>

#include "common/metadata/apply.h"

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
    EXPECT_FALSE(BrokerKeyOfTopicKey(key.name).empty()) << key.name;
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

}  // namespace
}  // namespace tidemark::metadata
