#include "broker/coordinator/transaction_coordinator.h"

#include <limits>
#include <utility>

#include "common/metadata/features.h"

namespace tidemark::coordinator {

TransactionConfig TransactionConfigFrom(const BrokerConfig& config) {
  const Config& raw = config.raw();
  TransactionConfig out;
  out.transaction_max_timeout_ms =
      static_cast<int32_t>(raw.GetInt("transaction.max.timeout.ms"));
  out.transactional_id_expiration_ms =
      raw.GetInt("transactional.id.expiration.ms");
  out.expiration_check_interval_ms =
      raw.GetInt("transaction.remove.expired.transaction.cleanup.interval.ms");
  return out;
}

InternalTopicConfig TransactionsTopicConfigFrom(const BrokerConfig& config) {
  const Config& raw = config.raw();
  constexpr char kFactor[] = "transaction.state.log.replication.factor";
  return {.name = kTransactionsTopic,
          .partitions = static_cast<int32_t>(
              raw.GetInt("transaction.state.log.num.partitions")),
          .replication_factor = static_cast<int16_t>(raw.GetInt(kFactor)),
          .segment_bytes = raw.GetInt("transaction.state.log.segment.bytes"),
          .min_isr =
              static_cast<int32_t>(raw.GetInt("transaction.state.log.min.isr")),
          .factor_setting = kFactor};
}

TransactionCoordinator::TransactionCoordinator(
    const TransactionConfig& transactions, const InternalTopicConfig& topic,
    const SnapshotOptions& snapshots, std::shared_ptr<CoordinatorMemory> memory,
    ImageHolder& metadata, ControllerClient& controller,
    replication::ReplicaManager& replicas, MarkerSender& markers)
    : config_(transactions),
      snapshots_(snapshots),
      memory_(std::move(memory)),
      metadata_(metadata),
      replicas_(replicas),
      markers_(markers),
      topic_(topic, controller),
      table_(topic.name, metadata, [this](const TopicPartition& partition) {
        return Make(partition);
      }) {}

bool TransactionCoordinator::Enabled() const {
  return metadata_.Get()->features().LevelOf(metadata::kTransactionVersion) > 0;
}

TransactionCoordinator::Table::Ptr TransactionCoordinator::Make(
    const TopicPartition& partition) {
  CoordinatorOptions options;
  options.snapshots = snapshots_;
  return std::make_shared<Coordinator<TransactionTable>>(
      partition, replicas_, options, TransactionTable(config_, memory_),
      [this, index = partition.partition](std::vector<MarkerTask> tasks) {
        SendMarkers(index, std::move(tasks));
      });
}

CoordinatorLocation TransactionCoordinator::Locate(
    const std::string& transactional_id, const std::string& listener) {
  return LocateCoordinator(*metadata_.Get(), topic_, "transaction",
                           transactional_id, listener);
}

void TransactionCoordinator::InitProducer(InitProducerRequest request,
                                          Done<InitProducerResult> done) {
  const std::string key = request.transactional_id;
  table_.Submit(key, std::move(request), std::move(done));
}

void TransactionCoordinator::AddPartitions(AddPartitionsRequest request,
                                           Done<AddPartitionsResult> done) {
  const std::string key = request.transactional_id;
  table_.Submit(key, std::move(request), std::move(done));
}

void TransactionCoordinator::End(EndTransactionRequest request,
                                 Done<EndTransactionResult> done) {
  const std::string key = request.transactional_id;
  table_.Submit(key, std::move(request), std::move(done));
}

void TransactionCoordinator::Describe(std::string transactional_id,
                                      Done<TransactionDescription> done) {
  const std::string key = transactional_id;
  table_.Read(key, DescribeTransactionRequest{std::move(transactional_id)},
              std::move(done));
}

void TransactionCoordinator::List(ListTransactionsQuery query,
                                  Done<ListTransactionsResult> done) {
  table_.ReadAll<ListTransactionsQuery>(
      std::move(query),
      [](ListTransactionsResult& all, ListTransactionsResult part) {
        std::move(part.rows.begin(), part.rows.end(),
                  std::back_inserter(all.rows));
      },
      std::move(done));
}

void TransactionCoordinator::OnTopicsDeleted(
    const std::set<std::string>& topics) {
  if (!topics.contains(kTransactionsTopic)) return;
  table_.Forget();
  std::lock_guard lock(mutex_);
  for (const auto& [index, epoch] : epochs_) {
    markers_.Drop(index, std::numeric_limits<LeaderEpoch>::max());
  }
  epochs_.clear();
}

void TransactionCoordinator::OnLeader(const TopicPartition& partition,
                                      LeaderEpoch epoch) {
  {
    std::lock_guard lock(mutex_);
    epochs_[partition.partition] = epoch;
  }
  markers_.Drop(partition.partition, epoch);
  table_.OnLeader(partition, epoch);
}

void TransactionCoordinator::OnNotLeader(const TopicPartition& partition,
                                         LeaderEpoch epoch) {
  markers_.Drop(partition.partition, std::numeric_limits<LeaderEpoch>::max());
  table_.OnNotLeader(partition, epoch);
}

void TransactionCoordinator::SendMarkers(PartitionIndex partition,
                                         std::vector<MarkerTask> tasks) {
  LeaderEpoch epoch = -1;
  {
    std::lock_guard lock(mutex_);
    epoch = epochs_[partition];
  }
  const auto coordinator = table_.FindPartition(partition);
  for (MarkerTask& task : tasks) {
    MarkersWrittenRequest written{.transactional_id = task.transactional_id,
                                  .producer_id = task.producer_id,
                                  .epoch = task.epoch};
    markers_.Send({.coordinator = partition,
                   .epoch = epoch,
                   .task = std::move(task),
                   .done = [coordinator, written = std::move(written)] {
                     coordinator->executor().Post([coordinator, written] {
                       coordinator->Submit(written,
                                           [](const MarkersWrittenResult&) {});
                     });
                   }});
  }
}

}  // namespace tidemark::coordinator
