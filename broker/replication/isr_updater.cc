#include "broker/replication/isr_updater.h"

#include <glog/logging.h>

#include <set>
#include <utility>

namespace tidemark::replication {

namespace {

constexpr Duration kPauseAfterFailure = std::chrono::milliseconds(50);
// Of one request: the controller refuses more than 10,000.
constexpr size_t kMaxPartitions = 2000;

AlterPartitionResult ResultOf(
    const controller::v1::AlterPartitionResponse::Partition& partition) {
  AlterPartitionResult result;
  result.error = static_cast<ErrorCode>(partition.code());
  result.leader = partition.leader();
  result.leader_epoch = partition.leader_epoch();
  result.isr.assign(partition.isr().begin(), partition.isr().end());
  result.partition_epoch = partition.partition_epoch();
  result.recovering = partition.recovery() == metadata::v1::RECOVERING;
  result.others_eligible = partition.eligible_leader_replicas_size() > 0;
  return result;
}

}  // namespace

IsrUpdater::IsrUpdater(Executor& executor, ControllerClient& controller,
                       Answered answered)
    : executor_(executor),
      controller_(controller),
      answered_(std::move(answered)) {}

void IsrUpdater::Submit(IsrProposal proposal) {
  executor_.Post([this, proposal = std::move(proposal)]() mutable {
    const Key key{proposal.topic_id, proposal.partition};
    waiting_[key] = std::move(proposal);
    Send();
  });
}

void IsrUpdater::Send() {
  if (busy_ || waiting_.empty()) return;
  busy_ = true;
  while (!waiting_.empty() && in_flight_.size() < kMaxPartitions) {
    in_flight_.insert(waiting_.extract(waiting_.begin()));
  }
  controller::v1::AlterPartitionRequest request;
  for (const auto& [key, proposal] : in_flight_) {
    auto* partition = request.add_partitions();
    partition->set_topic_id(proposal.topic_id.ToBytes());
    partition->set_partition(proposal.partition);
    partition->set_leader_epoch(proposal.leader_epoch);
    partition->set_partition_epoch(proposal.partition_epoch);
    partition->set_recovery(metadata::v1::RECOVERED);
    for (const auto& member : proposal.isr) {
      auto* added = partition->add_isr();
      added->set_broker_id(member.id);
      added->set_broker_epoch(member.epoch);
    }
  }
  controller_.AlterPartition(
      std::move(request),
      [this](Result<controller::v1::AlterPartitionResponse> response) {
        executor_.Post(
            [this, response = std::move(response)] { Done(response); });
      });
}

void IsrUpdater::Done(
    const Result<controller::v1::AlterPartitionResponse>& response) {
  const auto sent = std::exchange(in_flight_, {});
  const bool failed = !response || response->error().code() != 0;
  if (failed) {
    // Whether it happened is unknown; the same again finds out.
    for (const auto& [key, proposal] : sent) waiting_.emplace(key, proposal);
    Retry();
    return;
  }
  bool again = false;
  std::set<Key> answered;
  for (const auto& partition : response->partitions()) {
    const auto id = Uuid::FromBytes(partition.topic_id());
    if (!id) continue;
    const auto it = sent.find(Key{*id, partition.partition()});
    if (it == sent.end()) continue;
    const AlterPartitionResult result = ResultOf(partition);
    // Too many in one request: as if it had been left out.
    if (result.error == ErrorCode::kOperationNotAttempted) continue;
    again |= result.error == ErrorCode::kNotController ||
             result.error == ErrorCode::kRequestTimedOut;
    answered.insert(it->first);
    answered_(it->second, result);
  }
  // A controller that left one out has not decided it.
  for (const auto& [key, proposal] : sent) {
    if (answered.contains(key)) continue;
    again = true;
    waiting_.emplace(key, proposal);
  }
  if (again) {
    Retry();
    return;
  }
  busy_ = false;
  Send();
}

void IsrUpdater::Retry() {
  executor_.PostAfter(kPauseAfterFailure, [this] {
    busy_ = false;
    Send();
  });
}

}  // namespace tidemark::replication
