#include "controller/metadata/directory_decisions.h"

#include <algorithm>
#include <set>

namespace tidemark::controller {
namespace {

using Replica = rpc_v1::AssignReplicasRequest::Replica;

std::optional<record_v1::Record> Assign(const View& view,
                                        const BrokerImage& broker,
                                        const TopicImage& topic,
                                        const Replica& replica,
                                        const Uuid& directory) {
  const PartitionImage& now = *topic.partitions[replica.partition()];
  const Uuid known = now.DirectoryOf(broker.id);
  const bool elsewhere = !known.IsZero() && known != metadata::kLostDirectory &&
                         !broker.HasDirectory(known);
  const bool lost = replica.log_was_missing() || elsewhere ||
                    known == metadata::kLostDirectory;
  const bool in_sync = Contains(now.isr, broker.id);
  const bool last = in_sync && now.isr.size() == 1;
  const Eligibility eligible(view);
  PartitionChange change(topic, replica.partition(), eligible, view.settings);
  if (lost) change.LogLost(broker.id);
  // The last one's old disk may still be found: the metadata go on naming it.
  const Uuid& of_last = elsewhere ? known : metadata::kLostDirectory;
  change.Directory(broker.id, lost && last ? of_last : directory);
  if (lost || broker.IsOffline(directory)) change.WithoutIsrMember(broker.id);
  change.UncleanIf([&] {
    return UncleanElectionEnabled(view.image, topic.name, view.settings);
  });
  return change.Build();
}

}  // namespace

Result<Decision<rpc_v1::AssignReplicasResponse>> Decide(
    const View& view, const rpc_v1::AssignReplicasRequest& request) {
  if (request.replicas_size() > static_cast<int>(kMaxRecordsPerBatch)) {
    return Fail(ErrorCode::kPolicyViolation,
                "too many replicas in one request: send fewer");
  }
  Decision<rpc_v1::AssignReplicasResponse> out;
  const Image& state = view.image;
  const BrokerImage* broker = state.FindBroker(request.broker_id());
  if (broker == nullptr || broker->epoch != request.broker_epoch()) {
    out.response.mutable_error()->set_code(
        static_cast<int32_t>(ErrorCode::kStaleBrokerEpoch));
    out.response.mutable_error()->set_message(
        "broker epoch is not the registered one: register again");
    return out;
  }
  const auto lost = std::count_if(
      request.replicas().begin(), request.replicas().end(),
      [](const Replica& replica) { return replica.log_was_missing(); });
  if (lost > 0) {
    out.effects.notes.push_back(
        {Note::Severity::kWarning,
         "broker=" + std::to_string(request.broker_id()) +
             " has lost the logs of replicas=" + std::to_string(lost)});
  }
  std::set<std::pair<std::string, PartitionIndex>> seen;
  for (const Replica& replica : request.replicas()) {
    auto directory = Uuid::FromBytes(replica.directory_id());
    auto id = Uuid::FromBytes(replica.topic_id());
    const TopicImage* topic = id ? state.FindTopic(*id) : nullptr;
    if (!directory || !broker->HasDirectory(*directory) || topic == nullptr ||
        replica.partition() < 0 ||
        static_cast<size_t>(replica.partition()) >= topic->partitions.size() ||
        !Contains(topic->partitions[replica.partition()]->replicas,
                  broker->id) ||
        !seen.insert({replica.topic_id(), replica.partition()}).second) {
      continue;
    }
    auto record = Assign(view, *broker, *topic, replica, *directory);
    if (record) out.records.push_back(std::move(*record));
  }
  return out;
}

}  // namespace tidemark::controller
