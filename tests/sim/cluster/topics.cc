// What an operator does to topics.

#include <glog/logging.h>

#include <algorithm>

#include "tests/sim/cluster/cluster.h"

namespace tidemark::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<TopicPartition> Cluster::CreateTopic(const std::string& name,
                                                 int partitions, int replicas,
                                                 Configs configs) {
  made_with_[name] = configs;
  admin::v1::CreateTopicsRequest request;
  auto* topic = request.add_topics();
  topic->set_name(name);
  topic->set_partitions(partitions);
  topic->set_replication_factor(replicas);
  topic->mutable_configs()->insert(configs.begin(), configs.end());
  const NodeId active = controllers_.active();
  On(controllers_.executor(active), [&] {
    controllers_.at(active).Call(
        request, [](Result<admin::v1::CreateTopicsResponse>) {});
  });
  while (controllers_.image()->FindTopic(name) == nullptr) {
    scheduler_.Sleep(milliseconds(5));
  }
  std::vector<TopicPartition> made;
  for (int i = 0; i < partitions; ++i) {
    made.push_back({name, i});
    if (name == kLoose) history_.MayLose(made.back());
    inspector_.Watch(made.back(), name == kLoose, name.starts_with("__"));
  }
  return made;
}

void Cluster::MakeOrRemoveTopic() {
  const NodeId active = controllers_.active();
  if (active == kNoNode) return;
  const bool there = controllers_.image()->FindTopic(kPassing) != nullptr;
  Tell(std::string(there ? "remove" : "make") + " a topic");
  On(controllers_.executor(active), [&] {
    controller::Controller& controller = controllers_.at(active);
    if (there) {
      admin::v1::DeleteTopicsRequest request;
      request.add_names(kPassing);
      controller.Call(request, [](Result<admin::v1::DeleteTopicsResponse>) {});
    } else {
      admin::v1::CreateTopicsRequest request;
      auto* topic = request.add_topics();
      topic->set_name(kPassing);
      topic->set_partitions(kPassingPartitions);
      topic->set_replication_factor(3);
      controller.Call(request, [](Result<admin::v1::CreateTopicsResponse>) {});
    }
  });
}

Cluster::Configs Cluster::ConfigsOf(const std::string& topic) {
  const auto image = controllers_.image();
  const Configs* found =
      image->FindConfigs({metadata::ResourceType::kTopic, topic});
  return found == nullptr ? Configs() : *found;
}

void Cluster::AlterConfigs(const std::string& topic, const Configs& from,
                           const Configs& to) {
  admin::v1::AlterConfigsRequest request;
  auto* one = request.add_resources();
  one->mutable_resource()->set_type(
      static_cast<int32_t>(metadata::ResourceType::kTopic));
  one->mutable_resource()->set_name(topic);
  for (const auto& [key, value] : from) {
    if (to.contains(key)) continue;
    auto* change = one->add_changes();
    change->set_key(key);
    change->set_op(admin::v1::DELETE);
  }
  for (const auto& [key, value] : to) {
    auto* change = one->add_changes();
    change->set_key(key);
    change->set_op(admin::v1::SET);
    change->set_value(value);
  }
  const NodeId active = controllers_.active();
  if (active == kNoNode) return;
  On(controllers_.executor(active), [&] {
    controllers_.at(active).Call(
        request, [](Result<admin::v1::AlterConfigsResponse> response) {
          for (int i = 0; response && i < response->resources_size(); ++i) {
            const auto& each = response->resources(i);
            CHECK_EQ(each.code(), 0) << each.message();
          }
        });
  });
}

void Cluster::ChangeConfig() {
  static const std::vector<std::pair<std::string, std::vector<std::string>>>
      kChanges = {{"min.insync.replicas", {"1", "2", "3"}},
                  {"max.message.bytes", {"200", "400", "100000"}},
                  {"retention.bytes", {"5000", "20000", "-1"}},
                  {"retention.ms", {"1000", "5000", "-1"}},
                  {"segment.bytes", {"1500", "6000"}},
                  {"unclean.leader.election.enable", {"false", "true"}}};
  const auto below = [this](size_t bound) {
    return static_cast<size_t>(scheduler_.Below(static_cast<int64_t>(bound)));
  };
  const auto& [key, values] = kChanges[below(kChanges.size())];
  // Of others nothing must get lost.
  const bool loose = key.starts_with("unclean");
  if (loose && !controllers_.image()->FindTopic(kLoose)) return;
  const std::string topic =
      loose ? kLoose : partitions_[below(partitions_.size())].topic;
  const std::string& value = values[below(values.size())];
  Tell("config of " + topic + ": " + key + "=" + value);
  AlterConfigs(topic, {}, {{key, value}});
}

// Never to fewer than there were: of what is not synced before it is
// acknowledged they are all there is.
void Cluster::MovePartition() {
  const auto below = [this](size_t bound) {
    return static_cast<size_t>(scheduler_.Below(static_cast<int64_t>(bound)));
  };
  const TopicPartition chosen = AnyPartition();
  const auto image = controllers_.image();
  const auto* row = image->FindPartition(chosen.topic, chosen.partition);
  if (row == nullptr) return;
  std::vector<NodeId> brokers;
  if (!row->moving() || !scheduler_.Chance(300)) {
    for (NodeId id = 1; id <= machines(); ++id) brokers.push_back(id);
    for (size_t i = brokers.size(); i > 1; --i) {
      std::swap(brokers[i - 1], brokers[below(i)]);
    }
    const size_t before = row->Original().size();
    brokers.resize(before + below(brokers.size() - before + 1));
  }
  Reassign(chosen, brokers);
}

void Cluster::MoveLeader(const TopicPartition& chosen) {
  const auto image = controllers_.image();
  const auto* row = image->FindPartition(chosen.topic, chosen.partition);
  if (row == nullptr || row->moving() || row->leader < 0) return;
  std::vector<NodeId> brokers = row->replicas;
  std::ranges::stable_partition(brokers,
                                [row](NodeId id) { return id != row->leader; });
  Reassign(chosen, brokers);
  scheduler_.Sleep(milliseconds(20));
  ElectLeaders(false, {chosen});
}

void Cluster::Reassign(const TopicPartition& chosen,
                       const std::vector<NodeId>& brokers) {
  admin::v1::AlterPartitionReassignmentsRequest request;
  auto* one = request.add_partitions();
  one->set_topic(chosen.topic);
  one->set_partition(chosen.partition);
  std::string to;
  for (const NodeId id : brokers) {
    one->mutable_replicas()->add_broker_ids(id);
    to += " " + std::to_string(id);
  }
  Tell("move of " + ToString(chosen) + " to" + (to.empty() ? " before" : to));
  const NodeId active = controllers_.active();
  if (active == kNoNode) return;
  On(controllers_.executor(active), [&] {
    controllers_.at(active).Call(
        request, [](Result<admin::v1::AlterPartitionReassignmentsResponse>) {});
  });
}

void Cluster::RestoreConfigs() {
  const Instant limit = scheduler_.Now() + seconds(60);
  for (const auto& [topic, configs] : made_with_) {
    while (ConfigsOf(topic) != configs) {
      if (scheduler_.Now() >= limit) {
        return history_.Fail("the configuration of " + topic +
                             " stays changed");
      }
      AlterConfigs(topic, ConfigsOf(topic), configs);
      scheduler_.Sleep(milliseconds(50));
    }
  }
}

}  // namespace tidemark::sim
