#include "broker/kafka/handlers/topic_rules.h"

#include <charconv>
#include <unordered_map>

#include "broker/metadata/broker_config.h"
#include "broker/metadata/image_holder.h"
#include "common/metadata/configs.h"

namespace tidemark::server {
namespace {

// Of the image of one offset of one broker (tests have several in a process).
struct Remembered {
  const Services* services = nullptr;
  MetadataOffset offset = -1;
  std::unordered_map<std::string, log::RecordRules> rules;
};
thread_local Remembered remembered;

int64_t NumberOf(const std::string& text, int64_t fallback) {
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : fallback;
}

std::optional<record::Codec> CodecOf(std::string_view name) {
  if (name == "uncompressed") return record::Codec::kNone;
  if (name == "gzip") return record::Codec::kGzip;
  if (name == "snappy") return record::Codec::kSnappy;
  if (name == "lz4") return record::Codec::kLz4;
  if (name == "zstd") return record::Codec::kZstd;
  return std::nullopt;  // producer
}

log::RecordRules RulesOf(const Services& services, const metadata::Image& image,
                         const std::string& topic) {
  const BrokerConfig& config = *services.config;
  const auto get = [&](std::string_view key) {
    return metadata::ResolveTopicConfig(image, topic, key, config.node_id,
                                        config.static_values())
        .value;
  };
  log::RecordRules rules;
  rules.read_records = get("tidemark.record.validation") != "header";
  rules.compacted = get("cleanup.policy").find("compact") != std::string::npos;
  rules.log_append_time = get("message.timestamp.type") == "LogAppendTime";
  rules.timestamp_before_max_ms =
      NumberOf(get("message.timestamp.before.max.ms"), INT64_MAX);
  rules.timestamp_after_max_ms =
      NumberOf(get("message.timestamp.after.max.ms"), INT64_MAX);
  rules.stored_codec = CodecOf(get("compression.type"));
  return rules;
}

}  // namespace

TopicRules::TopicRules(const Services& services)
    : services_(services), image_(services.metadata->Get()) {
  if (remembered.services == &services &&
      remembered.offset == image_->offset()) {
    return;
  }
  remembered = {&services, image_->offset(), {}};
}

const log::RecordRules* TopicRules::Find(const std::string& topic) {
  const auto found = remembered.rules.find(topic);
  if (found != remembered.rules.end()) return &found->second;
  if (image_->FindTopic(topic) == nullptr) return nullptr;
  return &remembered.rules.emplace(topic, RulesOf(services_, *image_, topic))
              .first->second;
}

}  // namespace tidemark::server
