#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/coordinator/coordinator_set.h"
#include "broker/coordinator/internal_topic.h"
#include "broker/coordinator/marker_sender.h"
#include "broker/coordinator/transaction/transaction_table.h"
#include "broker/metadata/broker_config.h"

namespace tidemark::coordinator {

TransactionConfig TransactionConfigFrom(const BrokerConfig& config);
InternalTopicConfig TransactionsTopicConfigFrom(const BrokerConfig& config);

// The transaction coordinators of this broker, one for each partition of
// __transaction_state that it leads; an id belongs to the partition that Kafka
// would choose. What ends is brought to its partitions by the sender.
//
// Any thread; every `done` runs once, on the executor of a partition or, when
// nothing is led here, at once on the caller's thread.
class TransactionCoordinator final : public replication::LeadershipListener {
 public:
  // All references outlive it; `memory` bounds what all ids take. Register it
  // with replicas.Listen(kTransactionsTopic, &coordinator) before the first
  // image.
  TransactionCoordinator(const TransactionConfig& transactions,
                         const InternalTopicConfig& topic,
                         const SnapshotOptions& snapshots,
                         std::shared_ptr<CoordinatorMemory> memory,
                         ImageHolder& metadata, ControllerClient& controller,
                         replication::ReplicaManager& replicas,
                         MarkerSender& markers);

  // Whether all brokers of the cluster take part (transaction.version).
  bool Enabled() const;
  // FindCoordinator. Creates the topic when there is none and answers
  // kCoordinatorNotAvailable meanwhile.
  CoordinatorLocation Locate(const std::string& transactional_id,
                             const std::string& listener);

  void InitProducer(InitProducerRequest request, Done<InitProducerResult> done);
  void AddPartitions(AddPartitionsRequest request,
                     Done<AddPartitionsResult> done);
  void End(EndTransactionRequest request, Done<EndTransactionResult> done);
  void Describe(std::string transactional_id,
                Done<TransactionDescription> done);
  // Of all partitions led here; kCoordinatorLoadInProgress while one loads.
  void List(ListTransactionsQuery query, Done<ListTransactionsResult> done);

  // For the publisher of metadata.
  void OnTopicsDeleted(const std::set<std::string>& topics);

  // LeadershipListener, on the partition's executor.
  void OnLeader(const TopicPartition& partition, LeaderEpoch epoch) override;
  void OnNotLeader(const TopicPartition& partition, LeaderEpoch epoch) override;

 private:
  using Table = CoordinatorSet<TransactionTable>;

  Table::Ptr Make(const TopicPartition& partition);
  void SendMarkers(PartitionIndex partition, std::vector<MarkerTask> tasks);

  const TransactionConfig config_;
  const SnapshotOptions snapshots_;
  const std::shared_ptr<CoordinatorMemory> memory_;
  ImageHolder& metadata_;
  replication::ReplicaManager& replicas_;
  MarkerSender& markers_;
  InternalTopic topic_;
  Table table_;
  std::mutex mutex_;
  std::map<PartitionIndex, LeaderEpoch> epochs_;  // guarded by mutex_
};

}  // namespace tidemark::coordinator
