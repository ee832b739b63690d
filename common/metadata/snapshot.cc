#include "common/metadata/snapshot.h"

#include "common/metadata/apply.h"

namespace tidemark::metadata {
namespace {

bool Equal(const TopicImage& a, const TopicImage& b) {
  if (&a == &b) return true;
  if (a.name != b.name || a.id != b.id ||
      a.partitions.size() != b.partitions.size()) {
    return false;
  }
  for (size_t i = 0; i < a.partitions.size(); ++i) {
    if (a.partitions[i] != b.partitions[i] &&
        *a.partitions[i] != *b.partitions[i]) {
      return false;
    }
  }
  return true;
}

void WriteBroker(const BrokerImage& broker, v1::RegisterBroker* out) {
  out->set_broker_id(broker.id);
  out->set_incarnation_id(broker.incarnation.ToBytes());
  out->set_broker_epoch(broker.epoch);
  for (const EndpointImage& endpoint : broker.endpoints) {
    v1::Endpoint* e = out->add_endpoints();
    e->set_name(endpoint.name);
    e->set_host(endpoint.host);
    e->set_port(endpoint.port);
    e->set_protocol(endpoint.protocol);
  }
  out->set_rack(broker.rack);
  for (const Uuid& id : broker.directories) {
    out->add_directory_ids(id.ToBytes());
  }
  out->set_fenced(broker.fenced);
  out->set_in_controlled_shutdown(broker.in_controlled_shutdown);
  for (const OfflineDirectoryImage& offline : broker.offline) {
    v1::OfflineDirectory* to = out->add_offline_directories();
    to->set_id(offline.id.ToBytes());
    to->set_path(offline.path);
    to->set_reason(offline.reason);
  }
}

void WriteTopic(const TopicImage& topic, v1::RecordBatch* out) {
  v1::AddTopic* add = out->add_records()->mutable_add_topic();
  add->set_name(topic.name);
  add->set_topic_id(topic.id.ToBytes());
  for (size_t i = 0; i < topic.partitions.size(); ++i) {
    const PartitionImage& p = *topic.partitions[i];
    v1::AddPartition* to = out->add_records()->mutable_add_partition();
    to->set_topic_id(topic.id.ToBytes());
    to->set_partition(static_cast<int32_t>(i));
    to->mutable_replicas()->Add(p.replicas.begin(), p.replicas.end());
    to->mutable_isr()->Add(p.isr.begin(), p.isr.end());
    to->mutable_eligible_leader_replicas()->Add(p.elr.begin(), p.elr.end());
    to->set_leader(p.leader);
    to->set_leader_epoch(p.leader_epoch);
    to->set_partition_epoch(p.partition_epoch);
    to->set_recovery(p.recovering ? v1::RECOVERING : v1::RECOVERED);
    for (const Uuid& id : p.directories) to->add_directory_ids(id.ToBytes());
  }
}

}  // namespace

v1::RecordBatch ToRecords(const Image& image) {
  v1::RecordBatch out;
  for (const auto& [id, broker] : image.brokers()) {
    WriteBroker(*broker, out.add_records()->mutable_register_broker());
  }
  for (const auto& [name, topic] : image.topics()) WriteTopic(*topic, &out);
  for (const auto& [resource, configs] : image.configs()) {
    for (const auto& [key, value] : configs) {
      v1::SetConfig* set = out.add_records()->mutable_set_config();
      set->set_type(static_cast<v1::ResourceType>(resource.type));
      set->set_name(resource.name);
      set->set_key(key);
      set->set_value(value);
    }
  }
  if (image.next_producer_id() > 0) {
    v1::AllocateProducerIds* ids =
        out.add_records()->mutable_allocate_producer_ids();
    ids->set_broker_id(kNoNode);
    ids->set_broker_epoch(-1);
    ids->set_next_producer_id(image.next_producer_id());
  }
  return out;
}

Result<ImagePtr> FromRecords(const v1::RecordBatch& records,
                             MetadataOffset offset) {
  return ApplyBatch(nullptr, records, offset, nullptr);
}

Delta Difference(const Image& from, const Image& to) {
  Delta delta;
  delta.from_snapshot = true;
  for (const auto& [name, topic] : to.topics()) {
    const TopicImage* old = from.FindTopic(topic->id);
    if (old == nullptr || !Equal(*old, *topic)) {
      delta.changed_topics.insert(name);
    }
  }
  for (const auto& [name, topic] : from.topics()) {
    if (to.FindTopic(topic->id) == nullptr) {
      delta.deleted_topics[topic->id] = topic;
    }
  }
  for (const auto& [id, broker] : to.brokers()) {
    const BrokerImage* old = from.FindBroker(id);
    if (old == nullptr || !(*old == *broker)) delta.changed_brokers.insert(id);
  }
  for (const auto& [id, broker] : from.brokers()) {
    if (to.FindBroker(id) == nullptr) delta.changed_brokers.insert(id);
  }
  for (const auto& [resource, configs] : to.configs()) {
    const Image::Configs* old = from.FindConfigs(resource);
    if (old == nullptr || *old != configs) {
      delta.changed_configs.insert(resource);
    }
  }
  for (const auto& [resource, configs] : from.configs()) {
    if (to.FindConfigs(resource) == nullptr) {
      delta.changed_configs.insert(resource);
    }
  }
  return delta;
}

bool Equal(const Image& a, const Image& b) {
  if (a.offset() != b.offset() ||
      a.next_producer_id() != b.next_producer_id()) {
    return false;
  }
  Delta delta = Difference(a, b);
  return delta.changed_topics.empty() && delta.deleted_topics.empty() &&
         delta.changed_brokers.empty() && delta.changed_configs.empty();
}

}  // namespace tidemark::metadata
