#include "controller/metadata/reassignment_decisions.h"

#include <algorithm>
#include <set>

#include "common/metadata/features.h"
#include "controller/metadata/partition_change.h"

namespace tidemark::controller {
namespace {

using Request = admin_v1::AlterPartitionReassignmentsRequest;
using Wanted = Request::Partition;

// Those of `ids` that are not among `others`, ascending as Kafka has them.
std::vector<NodeId> Missing(const std::vector<NodeId>& ids,
                            const std::vector<NodeId>& others) {
  std::vector<NodeId> out;
  for (NodeId id : ids) {
    if (!Contains(others, id)) out.push_back(id);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Fenced brokers may be among them, as in Kafka: they may come back.
Status CheckTarget(const Image& state, const std::vector<NodeId>& target) {
  const auto refuse = [](const std::string& why) {
    return Fail(ErrorCode::kInvalidReplicaAssignment,
                "The manual partition assignment includes " + why + ".");
  };
  if (target.empty()) return refuse("an empty replica list");
  std::set<NodeId> seen;
  for (NodeId id : target) {
    if (state.FindBroker(id) == nullptr) {
      return refuse("broker " + std::to_string(id) +
                    ", but no such broker is registered");
    }
    if (!seen.insert(id).second) {
      return refuse("the broker " + std::to_string(id) + " more than once");
    }
  }
  return {};
}

// What `wanted` makes of the partition, when that is anything.
using Outcome = Result<std::optional<record_v1::Record>>;

Outcome Start(const View& view, const TopicImage& topic, const Wanted& wanted,
              bool keep_replication_factor) {
  const PartitionImage& now = *topic.partitions[wanted.partition()];
  const std::vector<NodeId> target(wanted.replicas().broker_ids().begin(),
                                   wanted.replicas().broker_ids().end());
  TM_RETURN_IF_ERROR(CheckTarget(view.image, target));
  const size_t factor = now.Target().size();
  if (keep_replication_factor && target.size() != factor) {
    return Fail(ErrorCode::kInvalidReplicationFactor,
                "The replication factor is changed from " +
                    std::to_string(factor) + " to " +
                    std::to_string(target.size()));
  }
  const std::vector<NodeId> original = now.Original();
  std::vector<NodeId> adding = Missing(target, original);
  std::vector<NodeId> removing = Missing(original, target);
  // Those that an earlier target was adding go at once, unless the partition
  // would be without anybody in sync: then when the others are, or when it is
  // cancelled, for they are none of the original ones.
  if (Missing(now.isr, Missing(now.adding, target)).empty()) {
    removing = Missing(now.replicas, target);
    const std::vector<NodeId> still = Missing(removing, original);
    adding.insert(adding.end(), still.begin(), still.end());
    std::sort(adding.begin(), adding.end());
  }
  std::vector<NodeId> replicas = target;
  replicas.insert(replicas.end(), removing.begin(), removing.end());
  const Eligibility eligible(view);
  PartitionChange change(topic, wanted.partition(), eligible, view.settings);
  change.Replicas(std::move(replicas), std::move(adding), std::move(removing));
  return change.Build();
}

Outcome Cancel(const View& view, const TopicImage& topic,
               const Wanted& wanted) {
  const PartitionImage& now = *topic.partitions[wanted.partition()];
  if (!now.moving()) return Fail(ErrorCode::kNoReassignmentInProgress);
  const Eligibility eligible(view);
  PartitionChange change(topic, wanted.partition(), eligible, view.settings);
  change.Replicas(now.Original(), {}, {}).UncleanIf([&] {
    return UncleanElectionEnabled(view.image, topic.name, view.settings);
  });
  auto record = change.Build();
  if (change.next().isr.empty()) {
    return Fail(ErrorCode::kInvalidReplicaAssignment,
                "Unable to revert partition assignment for " + topic.name +
                    ":" + std::to_string(wanted.partition()) +
                    " because it would require an unclean leader election.");
  }
  return record;
}

Outcome DecideOne(const View& view, const Wanted& wanted,
                  bool keep_replication_factor) {
  const TopicImage* topic = view.image.FindTopic(wanted.topic());
  if (topic == nullptr) {
    return Fail(ErrorCode::kUnknownTopicOrPartition,
                "Unable to find a topic named " + wanted.topic() + ".");
  }
  if (topic->Find(wanted.partition()) == nullptr) {
    return Fail(ErrorCode::kUnknownTopicOrPartition,
                "Unable to find partition " + wanted.topic() + ":" +
                    std::to_string(wanted.partition()) + ".");
  }
  return wanted.has_replicas()
             ? Start(view, *topic, wanted, keep_replication_factor)
             : Cancel(view, *topic, wanted);
}

}  // namespace

Result<Decision<admin_v1::AlterPartitionReassignmentsResponse>> Decide(
    const View& view, const Request& request) {
  if (view.image.features().metadata_version() < metadata::kMovesLevel) {
    return Fail(ErrorCode::kUnsupportedVersion,
                "moving partitions needs metadata.version " +
                    std::to_string(metadata::kMovesLevel) +
                    ": when all nodes run a release that supports it, tidemark "
                    "features upgrade");
  }
  if (request.partitions_size() > static_cast<int>(kMaxRecordsPerBatch)) {
    return Fail(ErrorCode::kPolicyViolation,
                "one request may move " + std::to_string(kMaxRecordsPerBatch) +
                    " partitions");
  }
  Decision<admin_v1::AlterPartitionReassignmentsResponse> out;
  std::set<TopicPartition> seen;
  for (const Wanted& wanted : request.partitions()) {
    auto* result = out.response.add_partitions();
    result->set_topic(wanted.topic());
    result->set_partition(wanted.partition());
    Outcome outcome =
        Fail(ErrorCode::kInvalidRequest, "The partition is given twice.");
    if (seen.insert({wanted.topic(), wanted.partition()}).second) {
      outcome = DecideOne(view, wanted, request.keep_replication_factor());
    }
    if (!outcome) {
      result->set_code(static_cast<int32_t>(outcome.error().code));
      result->set_message(outcome.error().message);
    } else if (*outcome) {
      out.records.push_back(std::move(**outcome));
    }
  }
  return out;
}

Status CheckSize(const admin_v1::ListPartitionReassignmentsRequest& request) {
  if (request.partitions_size() <= static_cast<int>(kMaxRecordsPerBatch)) {
    return {};
  }
  return Fail(ErrorCode::kPolicyViolation,
              "one request may name " + std::to_string(kMaxRecordsPerBatch) +
                  " partitions: ask for the rest in another, or name none for "
                  "all");
}

admin_v1::ListPartitionReassignmentsResponse Describe(
    const View& view,
    const admin_v1::ListPartitionReassignmentsRequest& request) {
  admin_v1::ListPartitionReassignmentsResponse out;
  const auto add = [&](const std::string& topic, PartitionIndex index,
                       const PartitionImage& now) {
    auto* to = out.add_reassignments();
    to->set_topic(topic);
    to->set_partition(index);
    to->mutable_replicas()->Add(now.replicas.begin(), now.replicas.end());
    to->mutable_adding_replicas()->Add(now.adding.begin(), now.adding.end());
    to->mutable_removing_replicas()->Add(now.removing.begin(),
                                         now.removing.end());
  };
  const metadata::TopicsImage& topics = view.image.topics();
  if (request.partitions().empty()) {
    topics.ForEach(topics.moving(),
                   [&](const TopicImage& topic, PartitionIndex index,
                       const PartitionImage& now) {
                     add(topic.name, index, now);
                     return true;
                   });
  }
  std::set<TopicPartition> seen;
  for (const auto& wanted : request.partitions()) {
    const PartitionImage* now =
        view.image.FindPartition(wanted.topic(), wanted.partition());
    if (now == nullptr || !now->moving()) continue;
    if (seen.insert({wanted.topic(), wanted.partition()}).second) {
      add(wanted.topic(), wanted.partition(), *now);
    }
  }
  return out;
}

void NoteMoves(const metadata::Image& image, const Records& records,
               Effects* effects) {
  size_t begun = 0, ended = 0;
  std::string first;
  for (const record_v1::Record& record : records) {
    const record_v1::ChangePartition& change = record.change_partition();
    if (!change.has_adding_replicas() && !change.has_removing_replicas()) {
      continue;
    }
    const auto id = Uuid::FromBytes(change.topic_id());
    const auto* topic = id ? image.FindTopic(*id) : nullptr;
    if (first.empty() && topic != nullptr) {
      first = topic->name + "-" + std::to_string(change.partition());
    }
    const bool moves = !change.adding_replicas().replicas().empty() ||
                       !change.removing_replicas().replicas().empty();
    ++(moves ? begun : ended);
  }
  if (begun + ended == 0) return;
  effects->notes.push_back(
      {.text = "partitions that begin to move=" + std::to_string(begun) +
               ", that have moved or stay=" + std::to_string(ended) +
               ", first=" + first});
}

}  // namespace tidemark::controller
