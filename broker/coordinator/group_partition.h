#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/coordinator/group/group_table.h"
#include "broker/coordinator/runtime/partition_runtime.h"

namespace tidemark::coordinator {

template <class T>
using Done = std::function<void(T)>;

// The groups of one __consumer_offsets partition as this broker serves them:
// the pure GroupTable driven by the partition's log, its timers and waiting
// callers. Everything runs on the executor that owns the partition. Every
// `done` runs once; with kNotCoordinator or kCoordinatorLoadInProgress when
// the partition is not served here (any more). Hold it by shared_ptr.
class GroupPartition final
    : public StateMachine,
      public std::enable_shared_from_this<GroupPartition> {
 public:
  GroupPartition(TopicPartition partition, replication::ReplicaManager& log,
                 const GroupConfig& config);

  void Lead(LeaderEpoch epoch) { runtime_->Lead(epoch); }
  void Resign(LeaderEpoch epoch) {
    forget_.clear();
    runtime_->Resign(epoch);
  }
  ErrorCode Availability() const { return runtime_->Availability(); }

  void Join(const JoinRequest& request, Done<JoinResult> done);
  void Sync(const SyncRequest& request, Done<SyncResult> done);
  void Heartbeat(const HeartbeatRequest& request, Done<HeartbeatResult> done);
  void Leave(const LeaveRequest& request, Done<LeaveResult> done);
  void Commit(const CommitRequest& request, Done<CommitResult> done);
  void Delete(const std::string& group_id, Done<DeleteResult> done);
  FetchResult Fetch(const FetchRequest& request) const;
  GroupDescription Describe(const std::string& group_id) const;
  ListResult List(const ListRequest& request) const;

  // Tombstones for offsets of deleted topics; while the log loads, as soon as
  // it has. Nothing when it is not led here.
  void ForgetTopics(const std::set<std::string>& topics);

  // StateMachine, for the runtime.
  void Clear() override;
  Status Load(std::string_view key,
              std::optional<std::string_view> value) override;
  void OnActive() override;
  void OnInactive(ErrorCode why) override;

 private:
  // Either a response, which an error replaces, or only an error.
  using Waiter = std::function<void(Response*, ErrorCode)>;

  // Registers `done` and runs `decide(ticket, moment)`, or refuses.
  template <class Result, class Decide>
  void Serve(Done<Result> done, Decide decide);
  void Run(Decision decision);
  void Deliver(std::vector<Answer> answers, ErrorCode error);
  void OnSettled(uint64_t write_id, const std::vector<GroupRecord>& records,
                 const std::optional<AssignmentWrite>& assignment,
                 ErrorCode error);
  void OnWriteTimeout(uint64_t write_id);
  void ArmTimer();
  void OnTimer(Instant armed_for);
  void ArmExpiry(uint64_t activation);
  Moment Now() const;

  const GroupConfig config_;
  GroupTable table_;
  std::shared_ptr<PartitionRuntime> runtime_;
  Executor& executor_;

  Ticket next_ticket_ = 0;
  std::unordered_map<Ticket, Waiter> waiters_;
  uint64_t next_write_ = 0;
  // Answers that leave when their write is settled.
  std::unordered_map<uint64_t, std::vector<Answer>> writes_;
  std::optional<Instant> armed_for_;
  std::set<std::string> forget_;  // topics deleted while loading
  uint64_t activation_ = 0;       // +1 with every OnActive and OnInactive
};

}  // namespace tidemark::coordinator
