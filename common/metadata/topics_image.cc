#include "common/metadata/topics_image.h"

#include <algorithm>

namespace tidemark::metadata {
namespace {

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

std::vector<NodeId> Without(std::vector<NodeId> ids,
                            const std::vector<NodeId>& gone) {
  std::erase_if(ids, [&](NodeId id) { return Contains(gone, id); });
  return ids;
}

template <class Repeated>
std::vector<NodeId> ToVector(const Repeated& ids) {
  return {ids.begin(), ids.end()};
}

template <class Repeated>
Result<std::vector<Uuid>> ParseDirectories(const Repeated& raw_ids) {
  std::vector<Uuid> out;
  out.reserve(static_cast<size_t>(raw_ids.size()));
  for (const std::string& raw : raw_ids) {
    auto id = Uuid::FromBytes(raw);
    if (!id) return Bad("bad directory id");
    out.push_back(*id);
  }
  return out;
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
  if (!Unique(p.adding) || !Unique(p.removing)) return Bad("bad move");
  for (NodeId id : p.adding) {
    if (!Contains(p.replicas, id)) {
      return Bad("replicas to come are none");
    }
  }
  for (NodeId id : p.removing) {
    if (!Contains(p.replicas, id)) return Bad("replicas to go are none");
  }
  if (p.removing.size() == p.replicas.size()) return Bad("all replicas go");
  if (p.leader_epoch < 0 || p.partition_epoch < 0) return Bad("bad epoch");
  if (!p.directories.empty() && p.directories.size() != p.replicas.size()) {
    return Bad("as many directories as replicas, or none");
  }
  return {};
}

bool Equal(const TopicImage& a, const TopicImage& b) {
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

v1::Record TopicRecord(const TopicImage& topic) {
  v1::Record record;
  v1::AddTopic* add = record.mutable_add_topic();
  add->set_name(topic.name);
  add->set_topic_id(topic.id.ToBytes());
  return record;
}

v1::Record PartitionRecord(const Uuid& topic, size_t index,
                           const PartitionImage& p) {
  v1::Record record;
  v1::AddPartition* to = record.mutable_add_partition();
  to->set_topic_id(topic.ToBytes());
  to->set_partition(static_cast<int32_t>(index));
  to->mutable_replicas()->Add(p.replicas.begin(), p.replicas.end());
  to->mutable_isr()->Add(p.isr.begin(), p.isr.end());
  to->mutable_eligible_leader_replicas()->Add(p.elr.begin(), p.elr.end());
  to->set_leader(p.leader);
  to->set_leader_epoch(p.leader_epoch);
  to->set_partition_epoch(p.partition_epoch);
  to->set_recovery(p.recovering ? v1::RECOVERING : v1::RECOVERED);
  for (const Uuid& id : p.directories) to->add_directory_ids(id.ToBytes());
  to->mutable_adding_replicas()->Add(p.adding.begin(), p.adding.end());
  to->mutable_removing_replicas()->Add(p.removing.begin(), p.removing.end());
  return record;
}

// What a record makes of a partition, unchecked.
Result<PartitionImage> Changed(const PartitionImage& old,
                               const v1::ChangePartition& record) {
  PartitionImage next = old;
  if (record.isr_size() > 0) next.isr = ToVector(record.isr());
  if (record.has_eligible_leader_replicas()) {
    next.elr = ToVector(record.eligible_leader_replicas().replicas());
  }
  if (record.replicas_size() > 0) {
    next.replicas = ToVector(record.replicas());
    // Written for the replicas there were before.
    if (next.replicas != old.replicas) next.directories.clear();
  }
  if (record.directory_ids_size() > 0) {
    TM_ASSIGN_OR_RETURN(next.directories,
                        ParseDirectories(record.directory_ids()));
  }
  if (record.has_adding_replicas()) {
    next.adding = ToVector(record.adding_replicas().replicas());
  }
  if (record.has_removing_replicas()) {
    next.removing = ToVector(record.removing_replicas().replicas());
  }
  if (record.has_leader()) next.leader = record.leader();
  if (record.has_leader_epoch()) next.leader_epoch = record.leader_epoch();
  if (record.has_recovery()) {
    next.recovering = record.recovery() == v1::RECOVERING;
  }
  return next;
}

// The indexes, as predicates; null is no partition.
bool IsReplica(const PartitionImage* p, NodeId id) {
  return p != nullptr && Contains(p->replicas, id);
}
bool IsInSync(const PartitionImage* p, NodeId id) {
  return p != nullptr && Contains(p->isr, id);
}
bool IsEligible(const PartitionImage* p, NodeId id) {
  return p != nullptr && Contains(p->elr, id);
}
bool IsLedBy(const PartitionImage* p, NodeId id) {
  return p != nullptr && p->leader == id;
}
bool IsLeaderless(const PartitionImage* p) { return IsLedBy(p, kNoNode); }
bool IsNotPreferred(const PartitionImage* p) {
  return p != nullptr && p->leader != p->replicas[0];
}
bool HasEligible(const PartitionImage* p) {
  return p != nullptr && !p->elr.empty();
}
bool IsMoving(const PartitionImage* p) { return p != nullptr && p->moving(); }
bool IsUnderReplicated(const PartitionImage* p) {
  // Who is still to come does not count, as in Kafka.
  return p != nullptr &&
         std::any_of(p->replicas.begin(), p->replicas.end(), [p](NodeId id) {
           return !Contains(p->isr, id) && !Contains(p->adding, id);
         });
}

void Move(PartitionSet* set, const PartitionKey& key, bool was, bool is) {
  if (was == is) return;
  if (is) {
    set->Edit(key);
  } else {
    set->Erase(key);
  }
}

}  // namespace

std::string CollisionForm(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '.', '_');
  return out;
}

Uuid PartitionImage::DirectoryOf(NodeId replica) const {
  for (size_t i = 0; i < directories.size(); ++i) {
    if (replicas[i] == replica) return directories[i];
  }
  return Uuid{};
}

std::vector<NodeId> PartitionImage::Target() const {
  return Without(replicas, removing);
}

std::vector<NodeId> PartitionImage::Original() const {
  return Without(replicas, adding);
}

const PartitionImage* TopicImage::Find(PartitionIndex partition) const {
  if (partition < 0 || static_cast<size_t>(partition) >= partitions.size()) {
    return nullptr;
  }
  return partitions[static_cast<size_t>(partition)].get();
}

const TopicImage* TopicsImage::Find(const std::string& name) const {
  const Uuid* id = names_.Find(name);
  return id == nullptr ? nullptr : Find(*id);
}

const TopicImage* TopicsImage::Find(const Uuid& id) const {
  const TopicPtr* found = by_id_.Find(id);
  return found == nullptr ? nullptr : found->get();
}

const std::string* TopicsImage::FindColliding(const std::string& name) const {
  const std::string form = CollisionForm(name);
  if (const TopicImage* plain = Find(form)) return &plain->name;
  auto dotted = dotted_.lower_bound(std::pair(form, std::string()));
  if (dotted == dotted_.end() || dotted->first.first != form) return nullptr;
  return &dotted->first.second;
}

const BrokerPartitions& TopicsImage::Of(NodeId broker) const {
  static const BrokerPartitions kNone;
  const BrokerPartitions* found = by_broker_.Find(broker);
  return found == nullptr ? kNone : *found;
}

Status TopicsImage::Apply(const v1::AddTopic& record, TopicsDelta* delta) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  if (record.name().empty()) return Bad("empty topic name");
  if (Find(record.name()) != nullptr || Find(id) != nullptr) {
    return Bad("topic " + record.name() + " exists");
  }
  auto topic = std::make_shared<TopicImage>();
  topic->name = record.name();
  topic->id = id;
  if (topic->name.find('.') != std::string::npos) {
    dotted_.Edit({CollisionForm(topic->name), topic->name});
  }
  delta->changed_topics.insert(topic->name);
  names_.Set(topic->name, id);
  by_id_.Set(id, std::move(topic));
  return {};
}

Status TopicsImage::Apply(const v1::RemoveTopic& record,
                          const TopicsImage& base, TopicsDelta* delta) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  const TopicPtr* found = by_id_.Find(id);
  if (found == nullptr) return Bad("removes no topic");
  const TopicPtr topic = *found;
  for (size_t i = 0; i < topic->partitions.size(); ++i) {
    Index({id, static_cast<PartitionIndex>(i)}, topic->partitions[i].get(),
          nullptr);
  }
  by_id_.Erase(id);
  names_.Erase(topic->name);
  dotted_.Erase(std::pair(CollisionForm(topic->name), topic->name));
  delta->changed_topics.erase(topic->name);
  if (base.Find(id) != nullptr) delta->deleted_topics[id] = topic;
  return {};
}

Status TopicsImage::Apply(const v1::AddPartition& record, TopicsDelta* delta) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  const TopicImage* topic = Find(id);
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
  partition->adding = ToVector(record.adding_replicas());
  partition->removing = ToVector(record.removing_replicas());
  TM_RETURN_IF_ERROR(CheckPartition(*partition));
  Index({id, record.partition()}, nullptr, partition.get());
  auto next = std::make_shared<TopicImage>(*topic);
  next->partitions.push_back(std::move(partition));
  delta->changed_topics.insert(next->name);
  by_id_.Set(id, std::move(next));
  return {};
}

Status TopicsImage::Apply(const v1::ChangePartition& record,
                          TopicsDelta* delta) {
  TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.topic_id(), "topic id"));
  const TopicImage* topic = Find(id);
  if (topic == nullptr) return Bad("partition of an unknown topic");
  const PartitionImage* old = topic->Find(record.partition());
  if (old == nullptr) return Bad("unknown partition of " + topic->name);
  TM_ASSIGN_OR_RETURN(PartitionImage changed, Changed(*old, record));
  if (changed.leader_epoch < old->leader_epoch ||
      (changed.leader != old->leader &&
       changed.leader_epoch == old->leader_epoch)) {
    return Bad("leader epoch goes back in " + topic->name);
  }
  if (old->partition_epoch == INT32_MAX) return Bad("partition epoch overflow");
  changed.partition_epoch = old->partition_epoch + 1;
  TM_RETURN_IF_ERROR(CheckPartition(changed));
  Index({id, record.partition()}, old, &changed);
  auto next = std::make_shared<TopicImage>(*topic);
  next->partitions.Set(
      static_cast<size_t>(record.partition()),
      std::make_shared<const PartitionImage>(std::move(changed)));
  delta->changed_topics.insert(next->name);
  by_id_.Set(id, std::move(next));
  return {};
}

void TopicsImage::Index(const PartitionKey& key, const PartitionImage* was,
                        const PartitionImage* now) {
  if (was != nullptr) {
    for (NodeId id : was->replicas) IndexBroker(id, key, was, now);
  }
  if (now != nullptr) {
    for (NodeId id : now->replicas) {
      if (!IsReplica(was, id)) IndexBroker(id, key, was, now);
    }
  }
  Move(&leaderless_, key, IsLeaderless(was), IsLeaderless(now));
  Move(&not_preferred_, key, IsNotPreferred(was), IsNotPreferred(now));
  Move(&with_eligible_, key, HasEligible(was), HasEligible(now));
  Move(&moving_, key, IsMoving(was), IsMoving(now));
  partitions_ += (now != nullptr) - (was != nullptr);
  under_replicated_ += IsUnderReplicated(now) - IsUnderReplicated(was);
}

void TopicsImage::IndexBroker(NodeId broker, const PartitionKey& key,
                              const PartitionImage* was,
                              const PartitionImage* now) {
  const bool was_replica = IsReplica(was, broker);
  const bool is_replica = IsReplica(now, broker);
  const int leads = IsLedBy(now, broker) - IsLedBy(was, broker);
  const int in_sync = IsInSync(now, broker) - IsInSync(was, broker);
  const int eligible = IsEligible(now, broker) - IsEligible(was, broker);
  if (was_replica == is_replica && leads == 0 && in_sync == 0 &&
      eligible == 0) {
    return;
  }
  BrokerPartitions& of = by_broker_.Edit(broker);
  Move(&of.replicas, key, was_replica, is_replica);
  of.leads += leads;
  of.in_sync += in_sync;
  of.eligible += eligible;
  if (of.replicas.empty()) by_broker_.Erase(broker);
}

void TopicsImage::ToRecords(const RecordSink& sink) const {
  for (const auto& [id, topic] : by_id_) {
    sink(TopicRecord(*topic));
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      sink(PartitionRecord(id, i, *topic->partitions[i]));
    }
  }
}

void Difference(const TopicsImage& from, const TopicsImage& to,
                TopicsDelta* delta) {
  ForEachDifference(from.by_id_, to.by_id_, [&](auto* old, auto* now) {
    if (now == nullptr) {
      delta->deleted_topics[old->first] = old->second;
    } else if (old == nullptr || !Equal(*old->second, *now->second)) {
      delta->changed_topics.insert(now->second->name);
    }
  });
}

}  // namespace tidemark::metadata
