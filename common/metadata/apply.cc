#include "common/metadata/apply.h"

#include <algorithm>

namespace tidemark::metadata {
namespace {

tl::unexpected<Error> Bad(const std::string& what) {
  return Fail(ErrorCode::kInvalidRecord, "metadata record: " + what);
}

Result<Uuid> ParseId(const std::string& raw, const char* what) {
  auto id = Uuid::FromBytes(raw);
  if (!id || id->IsZero()) return Bad(std::string("bad ") + what);
  return *id;
}

bool Unique(const std::vector<NodeId>& ids) {
  std::set<NodeId> seen;
  for (NodeId id : ids) {
    if (id < 0 || !seen.insert(id).second) return false;
  }
  return true;
}

bool Contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

template <class Repeated>
std::vector<NodeId> ToVector(const Repeated& ids) {
  return {ids.begin(), ids.end()};
}

template <class Repeated>
Result<std::vector<Uuid>> ParseDirectories(const Repeated& raw_ids) {
  std::vector<Uuid> out;
  for (const std::string& raw : raw_ids) {
    auto id = Uuid::FromBytes(raw);
    if (!id) return Bad("bad directory id");
    out.push_back(*id);
  }
  return out;
}

// What a broker can no longer use, each once.
template <class Repeated>
Status AddOffline(const Repeated& records, BrokerImage* broker) {
  for (const v1::OfflineDirectory& record : records) {
    TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.id(), "directory id"));
    if (broker->IsOffline(id)) continue;
    broker->offline.push_back({id, record.path(), record.reason()});
  }
  return {};
}

// C-14: leader in ISR, ISR within replicas and never empty.
Status CheckPartition(const PartitionImage& p) {
  if (p.replicas.empty() || !Unique(p.replicas)) return Bad("bad replicas");
  if (p.isr.empty() || !Unique(p.isr)) return Bad("bad ISR");
  for (NodeId id : p.isr) {
    if (!Contains(p.replicas, id)) return Bad("ISR outside the replicas");
  }
  if (!Unique(p.elr)) return Bad("bad eligible leader replicas");
  for (NodeId id : p.elr) {
    if (!Contains(p.replicas, id) || Contains(p.isr, id)) {
      return Bad("eligible leader replicas outside the replicas or in the ISR");
    }
  }
  if (p.leader != kNoNode && !Contains(p.isr, p.leader)) {
    return Bad("leader outside the ISR");
  }
  if (p.leader_epoch < 0 || p.partition_epoch < 0) return Bad("bad epoch");
  if (!p.directories.empty() && p.directories.size() != p.replicas.size()) {
    return Bad("as many directories as replicas, or none");
  }
  return {};
}

}  // namespace

ImageBuilder::ImageBuilder(ImagePtr base)
    : base_(std::move(base)),
      next_(base_ == nullptr ? std::make_shared<Image>()
                             : std::make_shared<Image>(*base_)) {}

Status ImageBuilder::Apply(const v1::Record& record, MetadataOffset offset) {
  switch (record.kind_case()) {
    case v1::Record::kRegisterBroker:
      return RegisterBroker(record.register_broker(), offset);
    case v1::Record::kUnregisterBroker:
      return UnregisterBroker(record.unregister_broker());
    case v1::Record::kChangeBroker:
      return ChangeBroker(record.change_broker());
    case v1::Record::kAddTopic:
      return AddTopic(record.add_topic());
    case v1::Record::kRemoveTopic:
      return RemoveTopic(record.remove_topic());
    case v1::Record::kAddPartition:
      return AddPartition(record.add_partition());
    case v1::Record::kChangePartition:
      return ChangePartition(record.change_partition());
    case v1::Record::kSetConfig:
      return SetConfig(record.set_config());
    case v1::Record::kAllocateProducerIds:
      return AllocateProducerIds(record.allocate_producer_ids());
    case v1::Record::kNoOp:
      return {};
    case v1::Record::KIND_NOT_SET:
      break;
  }
  return Bad("unknown kind; written by a newer version?");
}

Status ImageBuilder::RegisterBroker(const v1::RegisterBroker& record,
                                    MetadataOffset offset) {
  if (record.broker_id() < 0) return Bad("negative broker id");
  TM_ASSIGN_OR_RETURN(Uuid incarnation,
                      ParseId(record.incarnation_id(), "incarnation id"));
  auto broker = std::make_shared<BrokerImage>();
  broker->id = record.broker_id();
  broker->incarnation = incarnation;
  broker->rack = record.rack();
  for (const v1::Endpoint& endpoint : record.endpoints()) {
    if (endpoint.port() > UINT16_MAX) return Bad("endpoint port");
    broker->endpoints.push_back({endpoint.name(), endpoint.host(),
                                 static_cast<uint16_t>(endpoint.port()),
                                 endpoint.protocol()});
  }
  for (const std::string& raw : record.directory_ids()) {
    TM_ASSIGN_OR_RETURN(Uuid directory, ParseId(raw, "directory id"));
    broker->directories.push_back(directory);
  }
  TM_RETURN_IF_ERROR(AddOffline(record.offline_directories(), broker.get()));
  broker->epoch = record.broker_epoch() > 0 ? record.broker_epoch() : offset;
  broker->fenced = record.fenced();
  broker->in_controlled_shutdown = record.in_controlled_shutdown();
  const BrokerImage* old = next_->FindBroker(broker->id);
  // KAFKA-16757: registering again from the same process changes no state.
  if (record.broker_epoch() <= 0 && old != nullptr &&
      old->incarnation == incarnation) {
    broker->epoch = old->epoch;
    broker->fenced = old->fenced;
    broker->offline = old->offline;
    broker->in_controlled_shutdown = old->in_controlled_shutdown;
  }
  delta_.changed_brokers.insert(broker->id);
  next_->brokers_[broker->id] = std::move(broker);
  return {};
}

Status ImageBuilder::UnregisterBroker(const v1::UnregisterBroker& record) {
  const BrokerImage* old = next_->FindBroker(record.broker_id());
  if (old == nullptr) return Bad("unregisters an unknown broker");
  if (old->epoch != record.broker_epoch()) return Bad("stale broker epoch");
  delta_.changed_brokers.insert(record.broker_id());
  next_->brokers_.erase(record.broker_id());
  return {};
}

Status ImageBuilder::ChangeBroker(const v1::ChangeBroker& record) {
  const BrokerImage* old = next_->FindBroker(record.broker_id());
  if (old == nullptr) return Bad("changes an unknown broker");
  if (old->epoch != record.broker_epoch()) return Bad("stale broker epoch");
  auto broker = std::make_shared<BrokerImage>(*old);
  if (record.has_fenced()) broker->fenced = record.fenced();
  if (record.has_in_controlled_shutdown()) {
    broker->in_controlled_shutdown = record.in_controlled_shutdown();
  }
  TM_RETURN_IF_ERROR(AddOffline(record.offline_directories(), broker.get()));
  delta_.changed_brokers.insert(broker->id);
  next_->brokers_[broker->id] = std::move(broker);
  return {};
}

Status ImageBuilder::AddTopic(const v1::AddTopic& record) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  if (record.name().empty()) return Bad("empty topic name");
  if (next_->FindTopic(record.name()) != nullptr ||
      next_->FindTopic(id) != nullptr) {
    return Bad("topic " + record.name() + " exists");
  }
  auto topic = std::make_shared<TopicImage>();
  topic->name = record.name();
  topic->id = id;
  next_->topics_[topic->name] = topic;
  next_->topics_by_id_[id] = topic;
  delta_.changed_topics.insert(topic->name);
  own_topics_[id] = std::move(topic);
  return {};
}

Status ImageBuilder::RemoveTopic(const v1::RemoveTopic& record) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  auto found = next_->topics_by_id_.find(id);
  if (found == next_->topics_by_id_.end()) return Bad("removes no topic");
  Image::TopicPtr topic = found->second;
  next_->topics_by_id_.erase(found);
  next_->topics_.erase(topic->name);
  Resource resource{ResourceType::kTopic, topic->name};
  if (next_->configs_.erase(resource) > 0) {
    delta_.changed_configs.insert(resource);
  }
  delta_.changed_topics.erase(topic->name);
  own_topics_.erase(id);
  // A topic that was made here too was never seen by anyone.
  if (base_ != nullptr && base_->FindTopic(id) != nullptr) {
    delta_.deleted_topics[id] = std::move(topic);
  }
  return {};
}

Status ImageBuilder::AddPartition(const v1::AddPartition& record) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  TopicImage* topic = MutableTopic(id);
  if (topic == nullptr) return Bad("partition of an unknown topic");
  if (record.partition() < 0 ||
      static_cast<size_t>(record.partition()) != topic->partitions.size()) {
    return Bad("partition out of order in " + topic->name);
  }
  auto partition = std::make_shared<PartitionImage>();
  partition->replicas = ToVector(record.replicas());
  partition->isr = ToVector(record.isr());
  partition->elr = ToVector(record.eligible_leader_replicas());
  partition->leader = record.leader();
  partition->leader_epoch = record.leader_epoch();
  partition->partition_epoch = record.partition_epoch();
  partition->recovering = record.recovery() == v1::RECOVERING;
  TM_ASSIGN_OR_RETURN(partition->directories,
                      ParseDirectories(record.directory_ids()));
  TM_RETURN_IF_ERROR(CheckPartition(*partition));
  topic->partitions.push_back(std::move(partition));
  return {};
}

Status ImageBuilder::ChangePartition(const v1::ChangePartition& record) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  TopicImage* topic = MutableTopic(id);
  if (topic == nullptr) return Bad("partition of an unknown topic");
  if (record.partition() < 0 ||
      static_cast<size_t>(record.partition()) >= topic->partitions.size()) {
    return Bad("unknown partition of " + topic->name);
  }
  const PartitionImage& old = *topic->partitions[record.partition()];
  auto next = std::make_shared<PartitionImage>(old);
  if (record.isr_size() > 0) next->isr = ToVector(record.isr());
  if (record.has_eligible_leader_replicas()) {
    next->elr = ToVector(record.eligible_leader_replicas().replicas());
  }
  if (record.replicas_size() > 0) {
    next->replicas = ToVector(record.replicas());
    // Written for the replicas there were before.
    if (next->replicas != old.replicas) next->directories.clear();
  }
  if (record.directory_ids_size() > 0) {
    TM_ASSIGN_OR_RETURN(next->directories,
                        ParseDirectories(record.directory_ids()));
  }
  if (record.has_leader()) next->leader = record.leader();
  if (record.has_leader_epoch()) next->leader_epoch = record.leader_epoch();
  if (record.has_recovery()) {
    next->recovering = record.recovery() == v1::RECOVERING;
  }
  if (next->leader_epoch < old.leader_epoch ||
      (next->leader != old.leader && next->leader_epoch == old.leader_epoch)) {
    return Bad("leader epoch goes back in " + topic->name);
  }
  if (old.partition_epoch == INT32_MAX) return Bad("partition epoch overflow");
  next->partition_epoch = old.partition_epoch + 1;
  TM_RETURN_IF_ERROR(CheckPartition(*next));
  topic->partitions[record.partition()] = std::move(next);
  return {};
}

Status ImageBuilder::SetConfig(const v1::SetConfig& record) {
  if (record.key().empty()) return Bad("empty configuration key");
  if (record.type() != v1::TOPIC && record.type() != v1::BROKER) {
    return Bad("unknown resource type");
  }
  Resource resource{static_cast<ResourceType>(record.type()), record.name()};
  if (resource.type == ResourceType::kTopic &&
      next_->FindTopic(resource.name) == nullptr) {
    return Bad("configuration of an unknown topic");
  }
  delta_.changed_configs.insert(resource);
  if (record.has_value()) {
    next_->configs_[resource][record.key()] = record.value();
    return {};
  }
  auto found = next_->configs_.find(resource);
  if (found == next_->configs_.end()) return {};
  found->second.erase(record.key());
  if (found->second.empty()) next_->configs_.erase(found);
  return {};
}

Status ImageBuilder::AllocateProducerIds(
    const v1::AllocateProducerIds& record) {
  if (record.next_producer_id() <= next_->next_producer_id_) {
    return Bad("producer ids go back");
  }
  next_->next_producer_id_ = record.next_producer_id();
  return {};
}

TopicImage* ImageBuilder::MutableTopic(const Uuid& id) {
  if (auto own = own_topics_.find(id); own != own_topics_.end()) {
    return own->second.get();
  }
  auto found = next_->topics_by_id_.find(id);
  if (found == next_->topics_by_id_.end()) return nullptr;
  auto copy = std::make_shared<TopicImage>(*found->second);
  found->second = copy;
  next_->topics_[copy->name] = copy;
  delta_.changed_topics.insert(copy->name);
  return (own_topics_[id] = std::move(copy)).get();
}

ImagePtr ImageBuilder::Build(MetadataOffset offset, Delta* delta) {
  next_->offset_ = offset;
  if (delta != nullptr) {
    // Earlier batches of the same delta may have touched what is gone now.
    for (const auto& [id, topic] : delta_.deleted_topics) {
      if (next_->FindTopic(topic->name) == nullptr) {
        delta->changed_topics.erase(topic->name);
      }
    }
    delta->changed_topics.merge(delta_.changed_topics);
    delta->deleted_topics.merge(delta_.deleted_topics);
    delta->changed_brokers.merge(delta_.changed_brokers);
    delta->changed_configs.merge(delta_.changed_configs);
  }
  own_topics_.clear();
  return std::move(next_);
}

Result<ImagePtr> ApplyBatch(ImagePtr base, const v1::RecordBatch& batch,
                            MetadataOffset offset, Delta* delta) {
  ImageBuilder builder(std::move(base));
  for (const v1::Record& record : batch.records()) {
    if (Status status = builder.Apply(record, offset); !status) {
      Error error = std::move(status).error();
      error.message += " (offset " + std::to_string(offset) + ")";
      return Fail(std::move(error));
    }
  }
  return builder.Build(offset, delta);
}

}  // namespace tidemark::metadata
