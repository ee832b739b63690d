#include "controller/metadata/partition_change.h"

#include <algorithm>
#include <charconv>

#include "common/metadata/configs.h"

namespace tidemark::controller {
namespace {}  // namespace

Eligibility::Eligibility(const View& view) : image_(view.image) {
  if (view.leaving != nullptr) out_ = *view.leaving;
}

Eligibility Eligibility::Without(const View& view,
                                 const std::vector<NodeId>& brokers) {
  Eligibility out(view);
  out.out_.insert(out.out_.end(), brokers.begin(), brokers.end());
  std::sort(out.out_.begin(), out.out_.end());
  return out;
}

Eligibility Eligibility::With(const View& view, NodeId broker) {
  Eligibility out(view);
  out.in_ = broker;
  return out;
}

Eligibility& Eligibility::WithoutDirectories(NodeId broker,
                                             std::vector<Uuid> directories) {
  offline_of_ = broker;
  offline_ = std::move(directories);
  return *this;
}

bool Eligibility::HasLog(const PartitionImage& partition,
                         NodeId replica) const {
  const Uuid directory = partition.DirectoryOf(replica);
  if (directory.IsZero()) return true;
  const BrokerImage* broker = image_.FindBroker(replica);
  if (broker == nullptr || !broker->HasDirectory(directory) ||
      broker->IsOffline(directory)) {
    return false;
  }
  return replica != offline_of_ || std::find(offline_.begin(), offline_.end(),
                                             directory) == offline_.end();
}

bool Eligibility::operator()(NodeId id) const {
  if (id == kNoNode || std::binary_search(out_.begin(), out_.end(), id)) {
    return false;
  }
  if (id == in_) return true;
  const BrokerImage* broker = image_.FindBroker(id);
  return broker != nullptr && !broker->fenced &&
         !broker->in_controlled_shutdown;
}

PartitionChange::PartitionChange(const TopicImage& topic, PartitionIndex index,
                                 const Eligibility& eligible,
                                 const Settings& settings)
    : topic_(topic),
      index_(index),
      old_(*topic.partitions[index]),
      eligible_(eligible),
      settings_(settings),
      next_(old_),
      complete_(old_.isr) {
  complete_.insert(complete_.end(), old_.elr.begin(), old_.elr.end());
}

Uuid OnlyDirectory(const Image& image, NodeId id) {
  const BrokerImage* broker = image.FindBroker(id);
  return broker != nullptr && broker->directories.size() == 1
             ? broker->directories[0]
             : Uuid{};
}

PartitionChange& PartitionChange::Replicas(std::vector<NodeId> replicas,
                                           std::vector<NodeId> adding,
                                           std::vector<NodeId> removing) {
  std::vector<Uuid> directories;
  for (NodeId id : replicas) {
    directories.push_back(Contains(next_.replicas, id)
                              ? next_.DirectoryOf(id)
                              : OnlyDirectory(eligible_.image(), id));
  }
  const bool known = std::any_of(directories.begin(), directories.end(),
                                 [](const Uuid& id) { return !id.IsZero(); });
  next_.directories = known ? std::move(directories) : std::vector<Uuid>();
  const auto gone = [&](NodeId id) { return !Contains(replicas, id); };
  std::erase_if(next_.isr, gone);
  std::erase_if(next_.elr, gone);
  next_.replicas = std::move(replicas);
  next_.adding = std::move(adding);
  next_.removing = std::move(removing);
  return *this;
}

PartitionChange& PartitionChange::Isr(std::vector<NodeId> isr) {
  next_.isr = std::move(isr);
  return *this;
}

PartitionChange& PartitionChange::WithoutIsrMember(NodeId broker) {
  if (next_.isr.size() > 1) std::erase(next_.isr, broker);
  return *this;
}

PartitionChange& PartitionChange::LogLost(NodeId replica) {
  std::erase(complete_, replica);
  lost_ |= Contains(old_.isr, replica);
  return *this;
}

PartitionChange& PartitionChange::Kind(Election kind) {
  kind_ = kind;
  return *this;
}

PartitionChange& PartitionChange::UncleanIf(std::function<bool()> allowed) {
  unclean_allowed_ = std::move(allowed);
  return *this;
}

PartitionChange& PartitionChange::Recovered() {
  next_.recovering = false;
  return *this;
}

PartitionChange& PartitionChange::Directory(NodeId replica,
                                            const Uuid& directory) {
  next_.directories.resize(next_.replicas.size());
  for (size_t i = 0; i < next_.replicas.size(); ++i) {
    if (next_.replicas[i] == replica) next_.directories[i] = directory;
  }
  return *this;
}

bool PartitionChange::CanLead(NodeId broker) const {
  return eligible_(broker) && eligible_.HasLog(next_, broker);
}

// The first of the replicas that is one of these and can lead.
bool PartitionChange::ElectFrom(const std::vector<NodeId>& candidates) {
  for (NodeId id : next_.replicas) {
    if (!Contains(candidates, id) || !CanLead(id)) continue;
    next_.leader = id;
    return true;
  }
  return false;
}

void PartitionChange::Elect() {
  const auto valid = [&](NodeId id) {
    return Contains(next_.isr, id) && CanLead(id);
  };
  if (kind_ == Election::kPreferred && valid(next_.replicas[0])) {
    next_.leader = next_.replicas[0];
    return;
  }
  if (valid(next_.leader) || ElectFrom(next_.isr)) return;
  // Nothing is lost by it: it is no unclean election (KAFKA-18940).
  if (MinIsr() > 1 && ElectFrom(complete_)) {
    next_.isr = {next_.leader};
    return;
  }
  next_.leader = kNoNode;
  if (!unclean_allowed_ || !unclean_allowed_()) return;
  // One that has a log before one that has lost it, and one that was there
  // before a move that has only begun to copy.
  const auto tries = [&](bool with_log, bool newcomers) {
    for (NodeId id : next_.replicas) {
      if (!eligible_(id) || eligible_.HasLog(next_, id) != with_log ||
          Contains(next_.adding, id) != newcomers) {
        continue;
      }
      next_.leader = id;
      next_.isr = {id};
      next_.recovering = true;
      unclean_ = true;
      // It may lead with what it has; where that is it will say.
      if (!with_log) Directory(id, Uuid{});
      return true;
    }
    return false;
  };
  for (bool with_log : {true, false}) {
    if (tries(with_log, false) || tries(with_log, true)) return;
  }
}

bool PartitionChange::FinishMove() {
  // After an unclean election those that go may have what this one has not.
  if (!next_.moving() || next_.recovering) return false;
  std::vector<NodeId> target = next_.Target();
  const auto in_sync = [&](NodeId id) { return Contains(next_.isr, id); };
  if (!std::all_of(target.begin(), target.end(), in_sync) ||
      std::none_of(target.begin(), target.end(),
                   [&](NodeId id) { return CanLead(id); })) {
    return false;
  }
  Replicas(std::move(target), {}, {});
  return true;
}

// What a leader needs to commit; with one alone in sync it may go on.
size_t PartitionChange::MinIsr() const {
  const auto config = metadata::ResolveTopicConfig(
      eligible_.image(), topic_.name, "min.insync.replicas", kNoNode,
      settings_.static_configs);
  size_t wanted = 1;
  const std::string& text = config.value;
  std::from_chars(text.data(), text.data() + text.size(), wanted);
  return std::min(wanted, next_.replicas.size());
}

void PartitionChange::SetElr() {
  next_.elr.clear();
  // After an unclean election what the others have may be another history.
  if (unclean_ || next_.isr.size() >= MinIsr()) return;
  for (NodeId id : next_.replicas) {
    if (Contains(complete_, id) && !Contains(next_.isr, id) &&
        next_.DirectoryOf(id) != metadata::kLostDirectory) {
      next_.elr.push_back(id);
    }
  }
}

std::optional<record_v1::Record> PartitionChange::Build() {
  FinishMove();
  Elect();
  if (FinishMove()) Elect();
  if (next_.isr != old_.isr || !old_.elr.empty()) SetElr();
  // C-13: not for a smaller ISR alone (KAFKA-15021). Who is no replica any more
  // must not go on fetching as one.
  const bool out =
      (lost_ && next_.isr != old_.isr) ||
      !std::all_of(old_.replicas.begin(), old_.replicas.end(),
                   [&](NodeId id) { return Contains(next_.replicas, id); });
  if (next_.leader != old_.leader || unclean_ || out) ++next_.leader_epoch;
  if (next_ == old_) return std::nullopt;
  ++next_.partition_epoch;
  record_v1::Record record;
  record_v1::ChangePartition* change = record.mutable_change_partition();
  change->set_topic_id(topic_.id.ToBytes());
  change->set_partition(index_);
  Write(change);
  return record;
}

void PartitionChange::Write(record_v1::ChangePartition* change) const {
  const bool replicas = next_.replicas != old_.replicas;
  if (replicas) {
    change->mutable_replicas()->Add(next_.replicas.begin(),
                                    next_.replicas.end());
  }
  if (next_.adding != old_.adding) {
    change->mutable_adding_replicas()->mutable_replicas()->Add(
        next_.adding.begin(), next_.adding.end());
  }
  if (next_.removing != old_.removing) {
    change->mutable_removing_replicas()->mutable_replicas()->Add(
        next_.removing.begin(), next_.removing.end());
  }
  if (next_.isr != old_.isr) {
    change->mutable_isr()->Add(next_.isr.begin(), next_.isr.end());
  }
  if (next_.elr != old_.elr) {
    change->mutable_eligible_leader_replicas()->mutable_replicas()->Add(
        next_.elr.begin(), next_.elr.end());
  }
  if (replicas || next_.directories != old_.directories) {
    for (const Uuid& id : next_.directories) {
      change->add_directory_ids(id.ToBytes());
    }
  }
  if (next_.leader != old_.leader) change->set_leader(next_.leader);
  if (next_.leader_epoch != old_.leader_epoch) {
    change->set_leader_epoch(next_.leader_epoch);
  }
  if (next_.recovering != old_.recovering) {
    change->set_recovery(next_.recovering ? record_v1::RECOVERING
                                          : record_v1::RECOVERED);
  }
}

bool UncleanElectionEnabled(const Image& image, const std::string& topic,
                            const Settings& settings) {
  return metadata::ResolveTopicConfig(image, topic,
                                      "unclean.leader.election.enable", kNoNode,
                                      settings.static_configs)
             .value == "true";
}

}  // namespace tidemark::controller
