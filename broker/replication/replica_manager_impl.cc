#include "broker/replication/replica_manager_impl.h"

#include <glog/logging.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <utility>

#include "common/base/dispatch.h"
#include "common/metadata/configs.h"
#include "common/record/batch_builder.h"
#include "common/record/control_record.h"

namespace tidemark::replication {
namespace {

SharedBytes MakeMarker(const MarkerItem& item, int64_t now_ms) {
  record::BatchOptions options;
  options.producer_id = item.producer_id;
  options.producer_epoch = item.producer_epoch;
  options.transactional = true;
  options.control = true;
  record::BatchBuilder batch(options);
  batch.Add(
      now_ms,
      record::EncodeControlKey(item.commit ? record::ControlRecordType::kCommit
                                           : record::ControlRecordType::kAbort),
      record::EncodeMarkerValue(item.coordinator_epoch));
  return SharedBytes(batch.Build());
}

}  // namespace

ReplicaManagerImpl::ReplicaManagerImpl(std::vector<Executor*> executors,
                                       ReplicaManagerOptions options,
                                       LogStore& logs,
                                       ControllerClient& controller,
                                       TransportFactory connect)
    : executors_(std::move(executors)),
      options_(std::move(options)),
      logs_(logs) {
  CHECK(!executors_.empty());
  isr_updater_ = std::make_unique<IsrUpdater>(
      *executors_.front(), controller,
      [this](const IsrProposal& proposal, const AlterPartitionResult& result) {
        // The topic's name is the shard's to know; all but one find nothing.
        for (const auto& shard : shards_) {
          shard->executor().Post([shard = shard.get(), proposal, result] {
            shard->AlterPartitionAnswered(proposal.topic_id, proposal.partition,
                                          result, proposal.partition_epoch);
          });
        }
      });
  for (Executor* executor : executors_) {
    ShardServices services;
    services.logs = &logs_;
    services.stats = shard_stats_.emplace_back(std::make_unique<Stats>()).get();
    services.propose_isr = [this](IsrProposal proposal) {
      isr_updater_->Submit(std::move(proposal));
    };
    services.tell_damage = options_.tell_damage;
    if (options_.tell_standing) {
      services.tell_standing = [this, shard = shards_.size()](
                                   NodeId peer, PeerStanding standing) {
        options_.tell_standing(shard, peer, standing);
      };
    }
    services.connect = connect;
    services.listeners = &listeners_;
    services.readers = options_.readers;
    services.to_followers = &to_followers_;
    services.from_leaders = &from_leaders_;
    shards_.push_back(std::make_unique<ReplicaShard>(*executor, options_.shard,
                                                     std::move(services)));
  }
}

ReplicaManagerImpl::~ReplicaManagerImpl() = default;

Stats ReplicaManagerImpl::stats() const {
  Stats all(own_stats_);
  for (const auto& shard : shard_stats_) all += *shard;
  return all;
}

void ReplicaManagerImpl::Start() {
  const Duration lag = options_.shard.lag_max;
  Every(std::clamp<Duration>(lag / 2, std::chrono::milliseconds(100),
                             std::chrono::seconds(5)),
        [this] {
          OnEveryShard([](ReplicaShard& shard, size_t) { shard.Tick(); },
                       [] {});
        });
  Every(options_.retention_check, [this] {
    OnEveryShard([](ReplicaShard& shard,
                    size_t) { shard.housekeeping().ApplyRetention(); },
                 [] {});
  });
  Every(options_.recovery_point_checkpoint, [this] { logs_.Checkpoint(); });
  Every(options_.high_watermark_checkpoint,
        [this] { CheckpointHighWatermarks([] {}); });
}

void ReplicaManagerImpl::Every(Duration interval, std::function<void()> work) {
  executors_.front()->PostAfter(interval,
                                [this, interval, work = std::move(work)] {
                                  if (closing_) return;
                                  work();
                                  Every(interval, work);
                                });
}

size_t ReplicaManagerImpl::ShardIndexOf(const TopicPartition& partition) const {
  return (std::hash<std::string>()(partition.topic) +
          static_cast<size_t>(partition.partition)) %
         executors_.size();
}

Executor& ReplicaManagerImpl::ShardOf(const TopicPartition& partition) {
  return *executors_[ShardIndexOf(partition)];
}

void ReplicaManagerImpl::OnEveryShard(
    std::function<void(ReplicaShard&, size_t)> work,
    std::function<void()> done) {
  auto left = std::make_shared<std::atomic<size_t>>(shards_.size());
  for (size_t i = 0; i < shards_.size(); ++i) {
    executors_[i]->Post([this, i, work, left, done] {
      work(*shards_[i], i);
      if (left->fetch_sub(1) == 1) done();
    });
  }
}

void ReplicaManagerImpl::ApplyImage(
    metadata::ImagePtr image, std::shared_ptr<const metadata::Delta> delta,
    Executor& on, std::function<void()> done) {
  logs_.KeepLogs(!metadata::MayRemoveUnknownLogs(*image, options_.shard.self));
  SetThrottles(*image);
  OnEveryShard(
      [this, image = std::move(image), delta = std::move(delta)](
          ReplicaShard& shard, size_t index) {
        shard.ApplyImage(image, *delta,
                         [this, index](const TopicPartition& partition) {
                           return ShardIndexOf(partition) == index;
                         });
      },
      [&on, done = std::move(done)] { on.Post(done); });
}

void ReplicaManagerImpl::SetThrottles(const metadata::Image& image) {
  const auto rate = [&](std::string_view key) {
    const std::string text =
        metadata::ResolveBrokerConfig(image, key, options_.shard.self,
                                      options_.shard.static_configs)
            .value;
    int64_t value = Throttle::kUnlimited;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  to_followers_.SetRate(rate("leader.replication.throttled.rate"));
  from_leaders_.SetRate(rate("follower.replication.throttled.rate"));
}

// Appends that are under way: the one object they take.
struct ReplicaManagerImpl::Producing {
  std::vector<ProduceItem> items;
  int16_t acks;
  AppendOrigin origin;
  Instant deadline;
  std::vector<ProduceOutcome> outcomes;
  std::atomic<size_t> left;
  Executor* on;
  std::function<void(std::vector<ProduceOutcome>)> done;

  ProduceCall TakeCall(size_t index) {
    return {std::move(items[index]), acks, origin, -1, deadline};
  }
  static void Finished(const std::shared_ptr<Producing>& self, size_t index,
                       ProduceOutcome outcome) {
    self->outcomes[index] = std::move(outcome);
    if (self->left.fetch_sub(1) == 1) Answer(self);
  }
  static void Answer(const std::shared_ptr<Producing>& self) {
    Dispatch(*self->on, [self] { self->done(std::move(self->outcomes)); });
  }
};

void ReplicaManagerImpl::Append(std::shared_ptr<Producing> all) {
  const size_t count = all->items.size();
  all->outcomes.resize(count);
  // One more, so that it is not answered before all are on their way.
  all->left = count + 1;
  // Before the first shard begins: it takes its items away.
  std::vector<std::vector<size_t>> by_shard(shards_.size());
  for (size_t i = 0; i < count; ++i) {
    by_shard[ShardIndexOf(all->items[i].partition)].push_back(i);
  }
  for (size_t s = 0; s < shards_.size(); ++s) {
    std::vector<size_t>& indexes = by_shard[s];
    if (indexes.empty()) continue;
    Dispatch(*executors_[s], [shard = shards_[s].get(), all,
                              indexes = std::move(indexes)] {
      for (const size_t i : indexes) {
        shard->produce().Produce(
            all->TakeCall(i), [all, i](ProduceOutcome outcome, Offset) {
              Producing::Finished(all, i, std::move(outcome));
            });
      }
    });
  }
  if (all->left.fetch_sub(1) == 1) Producing::Answer(all);
}

void ReplicaManagerImpl::Produce(
    std::vector<ProduceItem> items, int16_t acks, Duration timeout,
    Executor& on, std::function<void(std::vector<ProduceOutcome>)> done) {
  Stats::Add(own_stats_.produce_requests, 1);
  auto all = std::make_shared<Producing>();
  all->items = std::move(items);
  all->acks = acks;
  all->origin = AppendOrigin::kClient;
  all->deadline = on.Now() + timeout;
  all->on = &on;
  all->done = std::move(done);
  Append(std::move(all));
}

void ReplicaManagerImpl::AppendMarkers(
    std::vector<MarkerItem> items, Duration timeout, Executor& on,
    std::function<void(std::vector<ErrorCode>)> done) {
  auto all = std::make_shared<Producing>();
  all->acks = -1;
  all->origin = AppendOrigin::kCoordinator;
  all->deadline = on.Now() + timeout;
  all->on = &on;
  all->done = [done = std::move(done)](std::vector<ProduceOutcome> outcomes) {
    std::vector<ErrorCode> errors;
    errors.reserve(outcomes.size());
    for (const auto& outcome : outcomes) errors.push_back(outcome.error);
    done(std::move(errors));
  };
  for (MarkerItem& item : items) {
    all->items.push_back({.partition = std::move(item.partition),
                          .batch = MakeMarker(item, on.WallMs()),
                          .transaction_version = item.transaction_version});
  }
  Append(std::move(all));
}

void ReplicaManagerImpl::DescribeProducers(
    const TopicPartition& partition, Executor& on,
    std::function<void(Result<std::vector<ActiveProducer>>)> done) {
  const size_t index = ShardIndexOf(partition);
  executors_[index]->Post(
      [shard = shards_[index].get(), partition, &on, done = std::move(done)] {
        on.Post([done, producers = shard->read().DescribeProducers(partition)] {
          done(producers);
        });
      });
}

void ReplicaManagerImpl::AppendCommitted(
    const TopicPartition& partition, LeaderEpoch epoch, SharedBytes batch,
    const log::TransactionContext& transaction, Duration timeout, Executor& on,
    std::function<void(Result<Offset>)> done) {
  const size_t index = ShardIndexOf(partition);
  ProduceCall call{
      {partition, std::move(batch), transaction.verified, transaction.version},
      -1,
      AppendOrigin::kCoordinator,
      epoch,
      on.Now() + timeout};
  executors_[index]->Post([shard = shards_[index].get(), call = std::move(call),
                           &on, done = std::move(done)]() mutable {
    shard->produce().Produce(
        std::move(call),
        [&on, done = std::move(done)](ProduceOutcome outcome, Offset last) {
          on.Post([done, outcome = std::move(outcome), last] {
            if (outcome.verify != 0) {
              done(Fail(ErrorCode::kInvalidTxnState, outcome.message));
            } else if (outcome.error != ErrorCode::kNone) {
              done(Fail(outcome.error, outcome.message));
            } else {
              done(last);
            }
          });
        });
  });
}

void ReplicaManagerImpl::BeginVerification(
    const TopicPartition& partition, ProducerId producer, ProducerEpoch epoch,
    Executor& on, std::function<void(Result<uint64_t>)> done) {
  const size_t index = ShardIndexOf(partition);
  executors_[index]->Post([shard = shards_[index].get(), partition, producer,
                           epoch, &on, done = std::move(done)] {
    on.Post([done, guard = shard->produce().BeginVerification(
                       partition, producer, epoch)] { done(guard); });
  });
}

void ReplicaManagerImpl::ReadLog(const TopicPartition& partition,
                                 LeaderEpoch epoch, Offset from,
                                 size_t max_bytes, Executor& on,
                                 std::function<void(Result<LogChunk>)> done) {
  const size_t index = ShardIndexOf(partition);
  executors_[index]->Post([shard = shards_[index].get(), partition, epoch, from,
                           max_bytes, &on, done = std::move(done)] {
    shard->read().ReadLog(
        partition, epoch, from, max_bytes, [&on, done](Result<LogChunk> chunk) {
          on.Post([done, chunk = std::move(chunk)] { done(chunk); });
        });
  });
}

void ReplicaManagerImpl::TrimLog(const TopicPartition& partition,
                                 LeaderEpoch epoch, Offset before, Executor& on,
                                 std::function<void(Status)> done) {
  const size_t index = ShardIndexOf(partition);
  executors_[index]->Post([shard = shards_[index].get(), partition, epoch,
                           before, &on, done = std::move(done)] {
    on.Post([done, trimmed = shard->produce().Trim(partition, epoch, before)] {
      done(trimmed);
    });
  });
}

void ReplicaManagerImpl::DeleteRecords(
    const TopicPartition& partition, Offset before, Duration timeout,
    Executor& on, std::function<void(Result<Offset>)> done) {
  const size_t index = ShardIndexOf(partition);
  executors_[index]->Post([shard = shards_[index].get(), partition, before,
                           deadline = on.Now() + timeout, &on,
                           done = std::move(done)] {
    shard->deletions().Delete(
        partition, before, deadline, [&on, done](Result<Offset> low) {
          on.Post([done, low = std::move(low)] { done(low); });
        });
  });
}

void ReplicaManagerImpl::DescribeReplicas(
    Executor& on, std::function<void(std::vector<ReplicaSize>)> done) {
  auto parts =
      std::make_shared<std::vector<std::vector<ReplicaSize>>>(shards_.size());
  OnEveryShard([parts](ReplicaShard& shard,
                       size_t index) { (*parts)[index] = shard.Sizes(); },
               [parts, &on, done = std::move(done)] {
                 on.Post([parts, done] {
                   std::vector<ReplicaSize> all;
                   for (auto& part : *parts) {
                     std::move(part.begin(), part.end(),
                               std::back_inserter(all));
                   }
                   done(std::move(all));
                 });
               });
}

void ReplicaManagerImpl::Listen(const std::string& topic,
                                LeadershipListener* listener) {
  listeners_[topic].push_back(listener);
}

void ReplicaManagerImpl::SetControllersSilent(bool silent) {
  OnEveryShard([silent](ReplicaShard& shard,
                        size_t) { shard.SetControllersSilent(silent); },
               [] {});
}

void ReplicaManagerImpl::CheckpointHighWatermarks(std::function<void()> done) {
  OnEveryShard(
      [this](ReplicaShard& shard, size_t) {
        // On the shard, so that none comes back that it has removed since.
        const auto changed = shard.housekeeping().ChangedHighWatermarks();
        if (!changed.empty()) logs_.SetHighWatermarks(changed);
      },
      std::move(done));
}

void ReplicaManagerImpl::DirectoryFailed() {
  OnEveryShard([](ReplicaShard& shard,
                  size_t) { shard.housekeeping().NoticeFailures(); },
               [] {});
}

void ReplicaManagerImpl::RemoveStrays(const metadata::ImagePtr& image) {
  const NodeId self = options_.shard.self;
  for (const auto& [name, topic_id] : logs_.Unopened()) {
    // Without an id nothing says whose it was.
    if (topic_id.IsZero()) continue;
    const metadata::TopicImage* topic = image->FindTopic(topic_id);
    if (topic != nullptr && topic->name == name.topic &&
        static_cast<size_t>(name.partition) < topic->partitions.size()) {
      const auto& replicas = topic->partitions[name.partition]->replicas;
      if (std::find(replicas.begin(), replicas.end(), self) != replicas.end()) {
        continue;
      }
    }
    LOG(INFO) << "removing stray replica partition=" << ToString(name)
              << " topic_id=" << ToString(topic_id);
    logs_.RemoveStray(name, topic_id);
  }
}

void ReplicaManagerImpl::Close(BrokerEpoch broker_epoch,
                               std::function<void(Status)> done) {
  closing_ = true;
  CheckpointHighWatermarks([this, broker_epoch, done = std::move(done)] {
    struct Closing {
      std::vector<PartitionTable::Logs> by_shard;
      std::atomic<size_t> left;
    };
    auto closing = std::make_shared<Closing>();
    closing->by_shard.resize(shards_.size());
    closing->left = shards_.size();
    const auto closed = [this, closing, broker_epoch, done](
                            size_t index, PartitionTable::Logs logs) {
      closing->by_shard[index] = std::move(logs);
      if (closing->left.fetch_sub(1) > 1) return;
      PartitionTable::Logs all;
      for (auto& of_shard : closing->by_shard) {
        for (auto& log : of_shard) all.push_back(std::move(log));
      }
      logs_.ShutDown(std::move(all), broker_epoch, done);
    };
    OnEveryShard(
        [closed](ReplicaShard& shard, size_t index) {
          shard.Close([closed, index](PartitionTable::Logs logs) {
            closed(index, std::move(logs));
          });
        },
        [] {});
  });
}

}  // namespace tidemark::replication
