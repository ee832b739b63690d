#include "common/metadata/configs_image.h"

namespace tidemark::metadata {

const Configs* ConfigsImage::Find(const Resource& resource) const {
  const auto* found = configs_.Find(resource);
  return found == nullptr ? nullptr : found->get();
}

std::vector<std::string> ConfigsImage::Names(ResourceType type) const {
  std::vector<std::string> out;
  for (auto at = configs_.lower_bound(Resource{type, ""});
       at != configs_.end() && at->first.type == type; ++at) {
    out.push_back(at->first.name);
  }
  return out;
}

Status ConfigsImage::Apply(const v1::SetConfig& record,
                           const TopicsImage& topics, ConfigsDelta* delta) {
  if (record.key().empty()) return Bad("empty configuration key");
  if (!v1::ResourceType_IsValid(record.type()) ||
      record.type() == v1::UNKNOWN) {
    return Bad("unknown resource type");
  }
  if (record.name().empty() && record.type() != v1::BROKER) {
    return Bad("settings of nothing");
  }
  Resource resource{static_cast<ResourceType>(record.type()), record.name()};
  if (resource.type == ResourceType::kTopic &&
      topics.Find(resource.name) == nullptr) {
    return Bad("configuration of an unknown topic");
  }
  const Configs* old = Find(resource);
  Configs next = old == nullptr ? Configs() : *old;
  if (record.has_value()) {
    next[record.key()] = record.value();
  } else {
    next.erase(record.key());
  }
  if (next.empty()) {
    configs_.Erase(resource);
  } else {
    configs_.Set(resource, std::make_shared<const Configs>(std::move(next)));
  }
  delta->changed_configs.insert(std::move(resource));
  return {};
}

Status ConfigsImage::Apply(const v1::RemoveTopic& record,
                           const TopicsImage& topics, ConfigsDelta* delta) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  const TopicImage* topic = topics.Find(id);
  if (topic == nullptr) return {};
  Resource resource{ResourceType::kTopic, topic->name};
  if (configs_.Erase(resource)) {
    delta->changed_configs.insert(std::move(resource));
  }
  return {};
}

void ConfigsImage::ToRecords(const RecordSink& sink) const {
  for (const auto& [resource, configs] : configs_) {
    for (const auto& [key, value] : *configs) {
      v1::Record record;
      v1::SetConfig* set = record.mutable_set_config();
      set->set_type(static_cast<v1::ResourceType>(resource.type));
      set->set_name(resource.name);
      set->set_key(key);
      set->set_value(value);
      sink(std::move(record));
    }
  }
}

void Difference(const ConfigsImage& from, const ConfigsImage& to,
                ConfigsDelta* delta) {
  ForEachDifference(from.configs_, to.configs_, [&](auto* old, auto* now) {
    if (old != nullptr && now != nullptr && *old->second == *now->second) {
      return;
    }
    delta->changed_configs.insert((old != nullptr ? old : now)->first);
  });
}

}  // namespace tidemark::metadata
