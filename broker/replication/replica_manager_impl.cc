#include "broker/replication/replica_manager_impl.h"

#include <glog/logging.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace tidemark::replication {

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
    services.stats = &stats_;
    services.propose_isr = [this](IsrProposal proposal) {
      isr_updater_->Submit(std::move(proposal));
    };
    services.connect = connect;
    services.listeners = &listeners_;
    shards_.push_back(std::make_unique<ReplicaShard>(*executor, options_.shard,
                                                     std::move(services)));
  }
}

ReplicaManagerImpl::~ReplicaManagerImpl() = default;

void ReplicaManagerImpl::Start() {
  const Duration lag = options_.shard.lag_max;
  Every(std::clamp<Duration>(lag / 2, std::chrono::milliseconds(100),
                             std::chrono::seconds(5)),
        [this] {
          OnEveryShard([](ReplicaShard& shard, size_t) { shard.Tick(); },
                       [] {});
        });
  Every(options_.retention_check, [this] {
    OnEveryShard([](ReplicaShard& shard, size_t) { shard.ApplyRetention(); },
                 [] {});
  });
  Every(options_.recovery_point_checkpoint, [this] {
    OnEveryShard([](ReplicaShard& shard, size_t) { shard.WriteCheckpoints(); },
                 [] {});
  });
  Every(options_.high_watermark_checkpoint, [this] {
    CheckpointHighWatermarks([](Status status) {
      if (!status) {
        LOG(ERROR) << "cannot write high watermarks error="
                   << ToString(status.error());
      }
    });
  });
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

void ReplicaManagerImpl::Produce(
    std::vector<ProduceItem> items, int16_t acks, Duration timeout,
    Executor& on, std::function<void(std::vector<ProduceOutcome>)> done) {
  stats_.Add(stats_.produce_requests, 1);
  struct Gather {
    std::vector<ProduceItem> items;
    std::vector<ProduceOutcome> outcomes;
    std::atomic<size_t> left;
    Executor* on;
    std::function<void(std::vector<ProduceOutcome>)> done;
  };
  auto gather = std::make_shared<Gather>();
  gather->outcomes.resize(items.size());
  gather->left = items.size();
  gather->on = &on;
  gather->done = std::move(done);
  gather->items = std::move(items);
  const auto finish = [](const std::shared_ptr<Gather>& all) {
    all->on->Post([all] { all->done(std::move(all->outcomes)); });
  };
  if (gather->items.empty()) return finish(gather);
  std::vector<std::vector<size_t>> by_shard(shards_.size());
  for (size_t i = 0; i < gather->items.size(); ++i) {
    by_shard[ShardIndexOf(gather->items[i].partition)].push_back(i);
  }
  const Instant deadline = on.Now() + timeout;
  for (size_t s = 0; s < by_shard.size(); ++s) {
    if (by_shard[s].empty()) continue;
    executors_[s]->Post([shard = shards_[s].get(), gather, acks, deadline,
                         finish, indexes = std::move(by_shard[s])] {
      for (const size_t i : indexes) {
        shard->Produce(std::move(gather->items[i]), acks, AppendOrigin::kClient,
                       -1, deadline,
                       [gather, finish, i](ProduceOutcome outcome, Offset) {
                         gather->outcomes[i] = std::move(outcome);
                         if (gather->left.fetch_sub(1) == 1) finish(gather);
                       });
      }
    });
  }
}

void ReplicaManagerImpl::AppendCommitted(
    const TopicPartition& partition, LeaderEpoch epoch, SharedBytes batch,
    Duration timeout, Executor& on, std::function<void(Result<Offset>)> done) {
  const size_t index = ShardIndexOf(partition);
  const Instant deadline = on.Now() + timeout;
  executors_[index]->Post([shard = shards_[index].get(), partition, epoch,
                           batch = std::move(batch), deadline, &on,
                           done = std::move(done)] {
    shard->Produce({partition, batch}, -1, AppendOrigin::kCoordinator, epoch,
                   deadline, [&on, done](ProduceOutcome outcome, Offset last) {
                     on.Post([done, outcome = std::move(outcome), last] {
                       if (outcome.error != ErrorCode::kNone) {
                         done(Fail(outcome.error, outcome.message));
                       } else {
                         done(last);
                       }
                     });
                   });
  });
}

void ReplicaManagerImpl::ReadLog(const TopicPartition& partition,
                                 LeaderEpoch epoch, Offset from,
                                 size_t max_bytes, Executor& on,
                                 std::function<void(Result<LogChunk>)> done) {
  const size_t index = ShardIndexOf(partition);
  executors_[index]->Post([shard = shards_[index].get(), partition, epoch, from,
                           max_bytes, &on, done = std::move(done)] {
    on.Post([done, chunk = shard->ReadLog(partition, epoch, from, max_bytes)] {
      done(chunk);
    });
  });
}

void ReplicaManagerImpl::Listen(const std::string& topic,
                                LeadershipListener* listener) {
  listeners_[topic].push_back(listener);
}

void ReplicaManagerImpl::CheckpointHighWatermarks(
    std::function<void(Status)> done) {
  auto offsets = std::make_shared<log::OffsetMap>();
  auto mutex = std::make_shared<std::mutex>();  // guards *offsets
  OnEveryShard(
      [offsets, mutex](ReplicaShard& shard, size_t) {
        log::OffsetMap own;
        shard.CollectHighWatermarks(&own);
        std::lock_guard lock(*mutex);
        offsets->merge(own);
      },
      [this, offsets, done = std::move(done)] {
        {
          std::lock_guard lock(written_mutex_);
          if (*offsets == written_) return done({});
          written_ = *offsets;
        }
        done(logs_.WriteHighWatermarks(*offsets));
      });
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
    if (auto removed = logs_.RemoveStray(name, topic_id); !removed) {
      LOG(WARNING) << "cannot remove stray partition=" << ToString(name)
                   << " error=" << ToString(removed.error());
    }
  }
}

void ReplicaManagerImpl::Close(BrokerEpoch broker_epoch,
                               std::function<void(Status)> done) {
  closing_ = true;
  CheckpointHighWatermarks([this, broker_epoch,
                            done = std::move(done)](Status written) {
    using Logs = std::vector<std::unique_ptr<log::Log>>;
    auto by_shard = std::make_shared<std::vector<Logs>>(shards_.size());
    OnEveryShard(
        [by_shard](ReplicaShard& shard, size_t index) {
          (*by_shard)[index] = shard.Close();
        },
        [this, by_shard, broker_epoch, written, done] {
          Logs all;
          for (Logs& logs : *by_shard) {
            for (auto& log : logs) all.push_back(std::move(log));
          }
          const Status closed = logs_.ShutDown(std::move(all), broker_epoch);
          done(written ? closed : written);
        });
  });
}

}  // namespace tidemark::replication
