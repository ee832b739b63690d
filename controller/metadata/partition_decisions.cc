#include "controller/metadata/partition_decisions.h"

#include <algorithm>
#include <set>

namespace tidemark::controller {
namespace {

using AlterRequest = rpc_v1::AlterPartitionRequest;
using AlterResponse = rpc_v1::AlterPartitionResponse;

// C-17, rules 2 to 11, in that order; the first that fails is the answer.
ErrorCode CheckAlter(const Image& state, const Eligibility& eligible,
                     NodeId sender, const AlterRequest::Partition& wanted,
                     const TopicImage* topic) {
  if (topic == nullptr) return ErrorCode::kUnknownTopicId;
  if (wanted.partition() < 0 ||
      static_cast<size_t>(wanted.partition()) >= topic->partitions.size()) {
    return ErrorCode::kUnknownTopicOrPartition;
  }
  const PartitionImage& now = *topic->partitions[wanted.partition()];
  // The sender knows a later state: this controller is behind (KAFKA-14154).
  if (wanted.leader_epoch() > now.leader_epoch ||
      wanted.partition_epoch() > now.partition_epoch) {
    return ErrorCode::kNotController;
  }
  if (wanted.leader_epoch() < now.leader_epoch) {
    return ErrorCode::kFencedLeaderEpoch;
  }
  if (sender != now.leader) return ErrorCode::kInvalidRequest;
  if (wanted.partition_epoch() < now.partition_epoch) {
    return ErrorCode::kInvalidUpdateVersion;
  }
  std::set<NodeId> members;
  for (const AlterRequest::IsrMember& member : wanted.isr()) {
    if (!Contains(now.replicas, member.broker_id()) ||
        !members.insert(member.broker_id()).second) {
      return ErrorCode::kInvalidRequest;
    }
  }
  if (members.empty()) return ErrorCode::kInvalidRequest;
  // A leader that leaves itself out gives up: another member is elected.
  bool recovering = wanted.recovery() == record_v1::RECOVERING;
  if (recovering && members.size() > 1) return ErrorCode::kInvalidRequest;
  if (recovering && !now.recovering) return ErrorCode::kInvalidRequest;
  for (const AlterRequest::IsrMember& member : wanted.isr()) {
    // KIP-841: fenced or leaving. KIP-903: another life of the broker.
    // B-30: one that has lost its log joins when it has said where the new one
    // is.
    if (!eligible(member.broker_id()) ||
        !eligible.HasLog(now, member.broker_id()) ||
        (member.broker_epoch() != -1 &&
         member.broker_epoch() !=
             state.FindBroker(member.broker_id())->epoch)) {
      return ErrorCode::kIneligibleReplica;
    }
  }
  return ErrorCode::kNone;
}

void DescribeState(const PartitionImage& state, AlterResponse::Partition* out) {
  out->set_leader(state.leader);
  out->set_leader_epoch(state.leader_epoch);
  out->mutable_isr()->Add(state.isr.begin(), state.isr.end());
  out->mutable_eligible_leader_replicas()->Add(state.elr.begin(),
                                               state.elr.end());
  out->set_recovery(state.recovering ? record_v1::RECOVERING
                                     : record_v1::RECOVERED);
  out->set_partition_epoch(state.partition_epoch);
}

struct ElectOutcome {
  ErrorCode code = ErrorCode::kNone;
  std::optional<record_v1::Record> record;
};

ElectOutcome ElectPreferred(const View& view, const TopicImage& topic,
                            PartitionIndex index) {
  const PartitionImage& now = *topic.partitions[index];
  if (now.leader == now.replicas[0]) return {ErrorCode::kElectionNotNeeded, {}};
  const Eligibility eligible(view);
  if (!eligible(now.replicas[0]) || !Contains(now.isr, now.replicas[0]) ||
      !eligible.HasLog(now, now.replicas[0])) {
    return {ErrorCode::kPreferredLeaderNotAvailable, {}};
  }
  PartitionChange change(topic, index, eligible, view.settings);
  return {ErrorCode::kNone, change.Kind(Election::kPreferred).Build()};
}

ElectOutcome ElectUnclean(const View& view, const TopicImage& topic,
                          PartitionIndex index) {
  const PartitionImage& now = *topic.partitions[index];
  if (now.leader != kNoNode) return {ErrorCode::kElectionNotNeeded, {}};
  const Eligibility eligible(view);
  PartitionChange change(topic, index, eligible, view.settings);
  auto record = change.UncleanIf([] { return true; }).Build();
  if (!record) return {ErrorCode::kEligibleLeadersNotAvailable, {}};
  return {ErrorCode::kNone, std::move(record)};
}

std::string Explain(ErrorCode code) {
  switch (code) {
    case ErrorCode::kElectionNotNeeded:
      return "The partition already has the leader asked for.";
    case ErrorCode::kPreferredLeaderNotAvailable:
      return "The preferred replica is not alive or not in sync.";
    case ErrorCode::kEligibleLeadersNotAvailable:
      return "No replica of the partition is alive.";
    case ErrorCode::kUnknownTopicOrPartition:
      return "No such topic or partition.";
    case ErrorCode::kPolicyViolation:
      return "Too many partitions in one request: ask again for the rest.";
    default:
      return "";
  }
}

}  // namespace

Decision<AlterResponse> Decide(const View& view, const AlterRequest& request) {
  Decision<AlterResponse> out;
  const Image& state = view.image;
  const Eligibility eligible(view);
  const BrokerImage* broker = state.FindBroker(request.broker_id());
  if (broker == nullptr || broker->epoch != request.broker_epoch()) {
    out.response.mutable_error()->set_code(
        static_cast<int32_t>(ErrorCode::kStaleBrokerEpoch));
    out.response.mutable_error()->set_message(
        "broker epoch is not the registered one: register again");
    return out;
  }
  std::set<std::pair<std::string, PartitionIndex>> seen;
  for (const AlterRequest::Partition& wanted : request.partitions()) {
    AlterResponse::Partition* answer = out.response.add_partitions();
    answer->set_topic_id(wanted.topic_id());
    answer->set_partition(wanted.partition());
    auto id = Uuid::FromBytes(wanted.topic_id());
    const TopicImage* topic = id ? state.FindTopic(*id) : nullptr;
    ErrorCode code =
        CheckAlter(state, eligible, request.broker_id(), wanted, topic);
    // A second change of a partition would be decided on the state before
    // the first.
    if (code == ErrorCode::kNone &&
        !seen.insert({wanted.topic_id(), wanted.partition()}).second) {
      code = ErrorCode::kInvalidRequest;
    }
    if (code == ErrorCode::kNone && out.records.size() == kMaxRecordsPerBatch) {
      code = ErrorCode::kOperationNotAttempted;
    }
    answer->set_code(static_cast<int32_t>(code));
    if (code != ErrorCode::kNone) continue;
    std::vector<NodeId> isr;
    for (const AlterRequest::IsrMember& member : wanted.isr()) {
      isr.push_back(member.broker_id());
    }
    PartitionChange change(*topic, wanted.partition(), eligible, view.settings);
    // A leader that leaves itself out has found its log damaged.
    if (!Contains(isr, request.broker_id()))
      change.LogLost(request.broker_id());
    change.Isr(std::move(isr));
    if (wanted.recovery() == record_v1::RECOVERED) change.Recovered();
    if (auto record = change.Build()) {
      out.records.push_back(std::move(*record));
    }
    DescribeState(change.next(), answer);
  }
  return out;
}

Decision<admin_v1::ElectLeadersResponse> Decide(
    const View& view, const admin_v1::ElectLeadersRequest& request) {
  Decision<admin_v1::ElectLeadersResponse> out;
  const Image& state = view.image;
  std::set<TopicPartition> seen;
  auto elect = [&](const std::string& name, PartitionIndex index, bool all) {
    if (!seen.insert({name, index}).second) return;
    ElectOutcome outcome{ErrorCode::kUnknownTopicOrPartition, {}};
    if (state.FindPartition(name, index) != nullptr) {
      const TopicImage& topic = *state.FindTopic(name);
      outcome = request.unclean() ? ElectUnclean(view, topic, index)
                                  : ElectPreferred(view, topic, index);
    }
    if (all && outcome.code == ErrorCode::kElectionNotNeeded) return;
    // Of a million that cannot be helped, some say as much as all.
    if (all && !outcome.record &&
        out.response.partitions_size() >=
            static_cast<int>(kMaxRecordsPerBatch)) {
      return;
    }
    if (outcome.record && out.records.size() == kMaxRecordsPerBatch) {
      outcome = {ErrorCode::kPolicyViolation, {}};
    }
    if (outcome.record) out.records.push_back(std::move(*outcome.record));
    auto* result = out.response.add_partitions();
    result->set_topic(name);
    result->set_partition(index);
    result->set_code(static_cast<int32_t>(outcome.code));
    result->set_message(Explain(outcome.code));
  };
  for (const auto& wanted : request.partitions()) {
    elect(wanted.topic(), wanted.partition(), false);
  }
  if (request.partitions().empty()) {
    // Elsewhere none is needed.
    const metadata::TopicsImage& topics = state.topics();
    topics.ForEach(
        request.unclean() ? topics.leaderless() : topics.not_preferred(),
        [&](const TopicImage& topic, PartitionIndex index,
            const PartitionImage&) {
          elect(topic.name, index, true);
          return true;
        });
  }
  return out;
}

Records DecidePreferredLeaders(const View& view, size_t limit) {
  const Image& state = view.image;
  Records out;
  state.topics().ForEach(state.topics().not_preferred(),
                         [&](const TopicImage& topic, PartitionIndex index,
                             const PartitionImage&) {
                           auto outcome = ElectPreferred(view, topic, index);
                           if (outcome.record)
                             out.push_back(std::move(*outcome.record));
                           return out.size() < limit;
                         });
  return out;
}

Records DecideUncleanLeaders(const View& view, size_t limit) {
  const Image& state = view.image;
  Records out;
  state.topics().ForEach(
      state.topics().leaderless(),
      [&](const TopicImage& topic, PartitionIndex index,
          const PartitionImage&) {
        if (!UncleanElectionEnabled(state, topic.name, view.settings))
          return true;
        auto outcome = ElectUnclean(view, topic, index);
        if (outcome.record) out.push_back(std::move(*outcome.record));
        return out.size() < limit;
      });
  return out;
}

Records DecideEligibleLeaders(const View& view, size_t limit) {
  const Image& state = view.image;
  const Eligibility eligible(view);
  Records out;
  state.topics().ForEach(state.topics().with_eligible(),
                         [&](const TopicImage& topic, PartitionIndex index,
                             const PartitionImage&) {
                           PartitionChange change(topic, index, eligible,
                                                  view.settings);
                           if (auto record = change.Build())
                             out.push_back(std::move(*record));
                           return out.size() < limit;
                         });
  return out;
}

}  // namespace tidemark::controller
