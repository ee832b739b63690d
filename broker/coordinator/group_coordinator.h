#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/coordinator/group/group_table.h"
#include "broker/coordinator/internal_topic.h"
#include "broker/coordinator/runtime/coordinator.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/image_holder.h"
#include "common/base/result.h"

namespace tidemark::coordinator {

using GroupPartition = Coordinator<GroupTable>;

GroupConfig GroupConfigFrom(const BrokerConfig& config);
// __consumer_offsets, with Kafka's defaults.
InternalTopicConfig OffsetsTopicConfig();
InternalTopicConfig OffsetsTopicConfigFrom(const BrokerConfig& config);
SnapshotOptions SnapshotOptionsFrom(const BrokerConfig& config);

// The group coordinators of this broker, one GroupPartition for each
// partition of __consumer_offsets it leads; a request goes to the partition
// that Kafka would choose, abs(hash(group id)) % partitions.
//
// Any thread; every `done` runs once, on the executor of a partition or, when
// nothing is led here, at once on the caller's thread.
class GroupCoordinator final : public replication::LeadershipListener {
 public:
  // All arguments outlive it. Register it with
  // replicas.Listen(kOffsetsTopic, &coordinator) before the first image.
  // `memory_bytes`: bound of what all groups take.
  GroupCoordinator(const BrokerConfig& config, size_t memory_bytes,
                   ImageHolder& metadata, ControllerClient& controller,
                   replication::ReplicaManager& replicas);
  GroupCoordinator(const GroupConfig& groups, const InternalTopicConfig& topic,
                   const SnapshotOptions& snapshots, size_t memory_bytes,
                   ImageHolder& metadata, ControllerClient& controller,
                   replication::ReplicaManager& replicas);

  // FindCoordinator. Creates the offsets topic when there is none and answers
  // kCoordinatorNotAvailable meanwhile.
  CoordinatorLocation Locate(const std::string& group_id,
                             const std::string& listener);

  // The partition of __consumer_offsets that keeps the group: what a
  // transaction has to name, and where its marker goes. As Locate when there
  // is no such topic.
  Result<TopicPartition> OffsetsPartitionOf(const std::string& group_id);

  void Join(JoinRequest request, Done<JoinResult> done);
  void Sync(SyncRequest request, Done<SyncResult> done);
  void Heartbeat(HeartbeatRequest request, Done<HeartbeatResult> done);
  void Leave(LeaveRequest request, Done<LeaveResult> done);
  void Commit(CommitRequest request, Done<CommitResult> done);
  // The transaction has been verified: the producer may write to
  // OffsetsPartitionOf(group). The log refuses one that is fenced, and, with
  // kInvalidTxnState, one whose guard does not count any more.
  void CommitInTransaction(TxnCommitRequest request, Done<CommitResult> done);
  // WriteTxnMarkers for a partition of __consumer_offsets: `done` runs when the
  // offsets of the transaction are visible, or gone. kNotLeaderOrFollower:
  // ask again, perhaps somebody else; any other error is the log's, and nothing
  // has changed.
  void EndTransaction(PartitionIndex offsets_partition,
                      const TransactionEnd& end,
                      std::function<void(ErrorCode)> done);
  void Fetch(FetchRequest request, Done<FetchResult> done);
  void Delete(std::string group_id, Done<DeleteResult> done);
  void DeleteOffsets(DeleteOffsetsRequest request,
                     Done<DeleteOffsetsResult> done);
  void Describe(std::string group_id, Done<GroupDescription> done);
  // Of all partitions led here; kCoordinatorLoadInProgress while one loads.
  void List(ListRequest request, Done<ListResult> done);

  // For the publisher of metadata: names of Delta::deleted_topics.
  void OnTopicsDeleted(const std::set<std::string>& topics);

  // What the groups led here take, and may. Any thread.
  const CoordinatorMemory& memory() const { return *memory_; }
  // For whatever else counts against the same bound.
  std::shared_ptr<CoordinatorMemory> shared_memory() const { return memory_; }

  // LeadershipListener, on the partition's executor.
  void OnLeader(const TopicPartition& partition, LeaderEpoch epoch) override;
  void OnNotLeader(const TopicPartition& partition, LeaderEpoch epoch) override;

 private:
  using PartitionPtr = std::shared_ptr<GroupPartition>;

  int32_t PartitionCount(const metadata::Image& image) const;
  Result<TopicPartition> PartitionIn(const metadata::Image& image,
                                     const std::string& group_id);
  PartitionPtr Find(PartitionIndex partition);
  std::map<PartitionIndex, PartitionPtr> All();
  // The partition of the group, on whose executor to ask it; nullptr when the
  // request has been refused.
  template <class Request>
  PartitionPtr Route(const Request& request,
                     const Done<typename Request::Answer>& done);
  template <class Request>
  void Submit(Request request, Done<typename Request::Answer> done);
  template <class Request>
  void Read(Request request, Done<typename Request::Answer> done);
  void ForgetPartitions();
  void RememberOrphans(const std::set<std::string>& topics);

  const GroupConfig config_;
  const SnapshotOptions snapshots_;
  ImageHolder& metadata_;
  replication::ReplicaManager& replicas_;
  InternalTopic topic_;
  const std::shared_ptr<CoordinatorMemory> memory_;
  std::mutex mutex_;
  // Topics deleted while a partition had no leader, and since which epoch.
  struct Orphan {
    LeaderEpoch epoch = -1;
    std::set<std::string> deleted;
  };
  std::map<PartitionIndex, Orphan> orphans_;  // guarded by mutex_
  // Ever led here. Inactive ones stay: they are empty.
  std::map<PartitionIndex, PartitionPtr> partitions_;  // guarded by mutex_
};

}  // namespace tidemark::coordinator
