#include "broker/replication/replica_shard.h"

#include <glog/logging.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/metadata/configs.h"

namespace tidemark::replication {

namespace {

int64_t ToNumber(const std::string& text, int64_t otherwise) {
  int64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void Gauge(Stats::Counter& gauge, bool& counted, bool now) {
  if (counted == now) return;
  counted = now;
  Stats::Add(gauge, now ? 1 : -1);
}

}  // namespace

// What the fetchers of this shard see of it.
class ReplicaShard::Source final : public FetchTarget {
 public:
  explicit Source(ReplicaShard& shard) : shard_(shard) {}
  Partition* Find(const TopicPartition& name) override {
    return shard_.Find(name);
  }
  void Changed(Partition& partition) override {
    if (Slot* slot = shard_.FindSlot(partition.name())) shard_.Settle(*slot);
  }
  BrokerEpoch broker_epoch() const override {
    const auto* self = shard_.env_.image->FindBroker(shard_.options_.self);
    return self == nullptr ? -1 : self->epoch;
  }

 private:
  ReplicaShard& shard_;
};

ReplicaShard::ReplicaShard(Executor& executor, ShardOptions options,
                           ShardServices services)
    : executor_(executor),
      options_(std::move(options)),
      services_(std::move(services)),
      deadlines_(executor),
      source_(std::make_unique<Source>(*this)) {
  env_.self = options_.self;
  env_.lag_max = options_.lag_max;
  env_.image = std::make_shared<const metadata::Image>();
  env_.stats = services_.stats;
}

ReplicaShard::~ReplicaShard() { *alive_ = false; }

ReplicaShard::Slot* ReplicaShard::FindSlot(const TopicPartition& partition) {
  const auto it = slots_.find(partition);
  return it == slots_.end() ? nullptr : it->second.get();
}

Partition* ReplicaShard::Find(const TopicPartition& partition) {
  Slot* slot = FindSlot(partition);
  return slot == nullptr ? nullptr : &slot->partition;
}

log::LogConfig ReplicaShard::LogConfigOf(const std::string& topic,
                                         int32_t* min_isr) const {
  const auto get = [&](std::string_view key) {
    return metadata::ResolveTopicConfig(*env_.image, topic, key, options_.self,
                                        options_.static_configs)
        .value;
  };
  log::LogConfig config;
  config.segment_bytes = ToNumber(get("segment.bytes"), config.segment_bytes);
  config.segment_ms = ToNumber(get("segment.ms"), config.segment_ms);
  config.retention_ms = ToNumber(get("retention.ms"), config.retention_ms);
  config.retention_bytes =
      ToNumber(get("retention.bytes"), config.retention_bytes);
  config.index_interval_bytes = static_cast<int32_t>(
      ToNumber(get("index.interval.bytes"), config.index_interval_bytes));
  config.max_message_bytes = static_cast<int32_t>(
      ToNumber(get("max.message.bytes"), config.max_message_bytes));
  const std::string policy = get("cleanup.policy");
  config.delete_enabled = policy.find("delete") != std::string::npos;
  config.compacted = policy.find("compact") != std::string::npos;
  config.log_append_time = get("message.timestamp.type") == "LogAppendTime";
  config.flush_messages =
      ToNumber(get("flush.messages"), config.flush_messages);
  config.producer_expiration_ms = options_.producer_expiration_ms;
  *min_isr = static_cast<int32_t>(ToNumber(get("min.insync.replicas"), 1));
  return config;
}

void ReplicaShard::ApplyImage(
    const metadata::ImagePtr& image, const metadata::Delta& delta,
    const std::function<bool(const TopicPartition&)>& mine) {
  if (closed_) return;
  env_.image = image;
  // Deletions first: the same name may come back with another id (B-14).
  for (const auto& [id, topic] : delta.deleted_topics) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const TopicPartition name{topic->name, static_cast<PartitionIndex>(i)};
      Slot* slot = FindSlot(name);
      if (slot != nullptr && slot->partition.topic_id() == id) {
        Remove(name);
      }
    }
  }
  for (const std::string& topic_name : delta.changed_topics) {
    const metadata::TopicImage* topic = image->FindTopic(topic_name);
    if (topic == nullptr) continue;
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const TopicPartition name{topic_name, static_cast<PartitionIndex>(i)};
      if (mine(name)) Apply(name, *topic, *topic->partitions[i]);
    }
  }
  for (const metadata::Resource& resource : delta.changed_configs) {
    for (auto& [name, slot] : slots_) {
      if (resource.type == metadata::ResourceType::kTopic &&
          resource.name != name.topic) {
        continue;
      }
      int32_t min_isr = 1;
      const log::LogConfig config = LogConfigOf(name.topic, &min_isr);
      slot->partition.UpdateConfig(config, min_isr);
      Settle(*slot);
    }
  }
  if (delta.changed_brokers.empty()) return;
  for (auto& [name, slot] : slots_) {
    slot->partition.BrokersChanged(executor_.Now());
    Settle(*slot);
    const NodeId leader = slot->partition.leader();
    if (slot->fetching_from == kNoNode && leader != options_.self &&
        leader != kNoNode) {
      RouteFetcher(*slot, false);
    }
  }
  // A leader that moved to another address is fetched from there.
  for (const NodeId id : delta.changed_brokers) {
    const auto it = fetchers_.find(id);
    if (it == fetchers_.end()) continue;
    const auto* broker = image->FindBroker(id);
    const auto* endpoint =
        broker == nullptr
            ? nullptr
            : broker->FindEndpoint(options_.inter_broker_listener);
    if (endpoint == nullptr || (endpoint->host == it->second->host() &&
                                endpoint->port == it->second->port())) {
      continue;
    }
    fetchers_.erase(it);
    for (auto& [name, slot] : slots_) {
      if (slot->fetching_from != id) continue;
      slot->fetching_from = kNoNode;
      RouteFetcher(*slot, true);
    }
  }
}

void ReplicaShard::Apply(const TopicPartition& name,
                         const metadata::TopicImage& topic,
                         const metadata::PartitionImage& row) {
  const bool assigned = std::find(row.replicas.begin(), row.replicas.end(),
                                  options_.self) != row.replicas.end();
  Slot* slot = FindSlot(name);
  if (slot != nullptr && slot->partition.topic_id() != topic.id) {
    Remove(name);
    slot = nullptr;
  }
  if (!assigned) {
    if (slot != nullptr) Remove(name);
    return;
  }
  if (slot == nullptr) slot = Open(name, topic, row);
  if (slot == nullptr) return;
  const LeaderEpoch epoch_before = slot->partition.leader_epoch();
  slot->partition.ApplyRow(row, executor_.Now());
  if (slot->partition.leader_epoch() != epoch_before) {
    // B-14: another epoch starts the fetching anew, same leader or not.
    RouteFetcher(*slot, true);
  }
  Settle(*slot);
}

ReplicaShard::Slot* ReplicaShard::Open(const TopicPartition& name,
                                       const metadata::TopicImage& topic,
                                       const metadata::PartitionImage& row) {
  int32_t min_isr = 1;
  const log::LogConfig config = LogConfigOf(name.topic, &min_isr);
  auto opened = services_.logs->Open(
      name, topic.id, config, row.partition_epoch == 0, executor_.WallMs());
  if (!opened) {
    LOG(ERROR) << "cannot open log partition=" << ToString(name)
               << " error=" << ToString(opened.error());
    return nullptr;
  }
  auto slot =
      std::make_unique<Slot>(name, topic.id, std::move(*opened), &env_,
                             services_.logs->HighWatermark(name), min_isr);
  Stats::Add(services_.stats->partitions, 1);
  return slots_.emplace(name, std::move(slot)).first->second.get();
}

void ReplicaShard::Remove(const TopicPartition& name) {
  const auto it = slots_.find(name);
  if (it == slots_.end()) return;
  const std::unique_ptr<Slot> slot = std::move(it->second);
  slots_.erase(it);
  if (const auto fetcher = fetchers_.find(slot->fetching_from);
      fetcher != fetchers_.end()) {
    fetcher->second->Remove(name);
  }
  Complete(slot->produces.TakeAll(ErrorCode::kNotLeaderOrFollower));
  slot->watches.WakeAll();
  Announce(*slot, true);
  Count(*slot, true);
  Stats::Add(services_.stats->partitions, -1);
  LOG(INFO) << "deleting replica partition=" << ToString(name)
            << " topic_id=" << ToString(slot->partition.topic_id());
  if (auto deleted = services_.logs->Delete(slot->partition.ReleaseLog());
      !deleted) {
    LOG(ERROR) << "cannot delete log partition=" << ToString(name)
               << " error=" << ToString(deleted.error());
  }
}

void ReplicaShard::Settle(Slot& slot) {
  Partition& partition = slot.partition;
  PartitionEffects effects = partition.TakeEffects();
  if (effects.proposal) services_.propose_isr(std::move(*effects.proposal));
  std::vector<ProduceQueue::Completed> completed;
  if (effects.role) {
    completed = slot.produces.TakeAll(partition.failed()
                                          ? ErrorCode::kKafkaStorageError
                                          : ErrorCode::kNotLeaderOrFollower);
    slot.watches.WakeAll();
    Announce(slot, false);
  } else if (effects.high_watermark || effects.flushed) {
    if (!slot.produces.empty()) {
      completed = slot.produces.TakeReached(partition.log().flushed_offset(),
                                            partition.high_watermark(),
                                            partition.CheckAfterCommit());
    }
  }
  if (effects.role || effects.isr) Count(slot, false);
  if (effects.appended || effects.high_watermark) {
    slot.watches.Moved(partition);
  }
  if (effects.flushed && !partition.IsLeader()) {
    if (const auto it = fetchers_.find(slot.fetching_from);
        it != fetchers_.end()) {
      it->second->Flushed(partition.name());
    }
  }
  StartSync(slot);
  Complete(std::move(completed));
}

void ReplicaShard::StartSync(Slot& slot) {
  if (slot.syncing || slot.partition.failed()) return;
  auto work = slot.partition.log().TakeSync();
  if (!work) return;
  slot.syncing = true;
  // The log may be gone when the work is done; the name and id find it.
  services_.logs->Sync(
      slot.partition.name(), *work,
      [this, alive = alive_, executor = &executor_,
       name = slot.partition.name(), id = slot.partition.topic_id(),
       work = *work](Status status) {
        executor->Post([this, alive, name, id, work, status] {
          if (*alive) SyncDone(name, id, work, status);
        });
      });
}

void ReplicaShard::SyncDone(const TopicPartition& name, const Uuid& topic_id,
                            const log::SyncWork& work, const Status& status) {
  Slot* slot = FindSlot(name);
  if (slot == nullptr || slot->partition.topic_id() != topic_id) return;
  slot->syncing = false;
  if (status) {
    slot->partition.Flushed(work, executor_.Now());
  } else {
    LOG(ERROR) << "sync failed partition=" << ToString(name)
               << " error=" << ToString(status.error());
    slot->partition.SyncFailed(work);
  }
  Settle(*slot);
}

void ReplicaShard::Complete(std::vector<ProduceQueue::Completed> completed) {
  for (auto& one : completed) {
    if (one.deadline) deadlines_.Cancel(*one.deadline);
    one.done(one.error);
  }
}

void ReplicaShard::Announce(Slot& slot, bool removed) {
  const Partition& partition = slot.partition;
  const auto found = services_.listeners->find(partition.name().topic);
  if (found == services_.listeners->end()) return;
  const bool leads = !removed && partition.IsLeader() && !partition.failed();
  if (leads == slot.announced_leader &&
      partition.leader_epoch() == slot.announced_epoch) {
    return;
  }
  slot.announced_leader = leads;
  slot.announced_epoch = partition.leader_epoch();
  // From a turn of its own: listeners call back into the manager.
  for (LeadershipListener* listener : found->second) {
    executor_.Post([listener, leads, name = partition.name(),
                    epoch = partition.leader_epoch()] {
      if (leads) {
        listener->OnLeader(name, epoch);
      } else {
        listener->OnNotLeader(name, epoch);
      }
    });
  }
}

void ReplicaShard::Count(Slot& slot, bool removed) {
  const Partition& partition = slot.partition;
  Stats& stats = *services_.stats;
  const bool leads = !removed && partition.IsLeader();
  Gauge(stats.leaders, slot.counted_leader, leads);
  Gauge(stats.under_replicated, slot.counted_under_replicated,
        leads && partition.UnderReplicated());
  Gauge(stats.under_min_isr, slot.counted_under_min_isr,
        leads && partition.isr().committed().size() < partition.min_isr());
  Gauge(stats.offline, slot.counted_offline, !removed && partition.failed());
}

void ReplicaShard::RouteFetcher(Slot& slot, bool epoch_changed) {
  const Partition& partition = slot.partition;
  const auto position = partition.FollowerPosition();
  const NodeId from = position ? position->leader : kNoNode;
  if (slot.fetching_from != kNoNode && slot.fetching_from != from) {
    if (const auto it = fetchers_.find(slot.fetching_from);
        it != fetchers_.end()) {
      it->second->Remove(partition.name());
      if (it->second->empty()) {
        // Not under its own feet: it may be the one that called.
        executor_.Post([this, alive = alive_, id = slot.fetching_from] {
          if (!*alive) return;
          const auto it = fetchers_.find(id);
          if (it != fetchers_.end() && it->second->empty()) fetchers_.erase(it);
        });
      }
    }
    slot.fetching_from = kNoNode;
  }
  if (from == kNoNode) return;
  if (slot.fetching_from == from && !epoch_changed) return;
  auto it = fetchers_.find(from);
  if (it == fetchers_.end()) {
    const auto* broker = env_.image->FindBroker(from);
    const auto* endpoint =
        broker == nullptr
            ? nullptr
            : broker->FindEndpoint(options_.inter_broker_listener);
    if (endpoint == nullptr) return;  // until the broker's row arrives
    it = fetchers_
             .emplace(from,
                      std::make_unique<Fetcher>(
                          executor_, options_.fetcher, from, endpoint->host,
                          endpoint->port, services_.connect, *source_))
             .first;
  }
  slot.fetching_from = from;
  it->second->Add(partition.name(), partition.topic_id());
}

ErrorCode ReplicaShard::WhyAbsent(const TopicPartition& partition,
                                  const Uuid& topic_id) const {
  const metadata::TopicImage* topic = env_.image->FindTopic(partition.topic);
  if (topic == nullptr) {
    return topic_id.IsZero() ? ErrorCode::kUnknownTopicOrPartition
                             : ErrorCode::kUnknownTopicId;
  }
  if (!topic_id.IsZero() && topic->id != topic_id) {
    return ErrorCode::kInconsistentTopicId;
  }
  const bool exists =
      partition.partition >= 0 &&
      static_cast<size_t>(partition.partition) < topic->partitions.size();
  return exists ? ErrorCode::kNotLeaderOrFollower
                : ErrorCode::kUnknownTopicOrPartition;
}

void ReplicaShard::Produce(
    ProduceItem item, int16_t acks, AppendOrigin origin, LeaderEpoch epoch,
    Instant deadline,
    std::function<void(ProduceOutcome, Offset last_offset)> done) {
  ProduceOutcome outcome;
  const auto refuse = [&](ErrorCode error, std::string message) {
    outcome.error = error;
    outcome.message = std::move(message);
    if (error == ErrorCode::kNotLeaderOrFollower) {
      if (const auto* row = env_.image->FindPartition(
              item.partition.topic, item.partition.partition)) {
        outcome.leader = row->leader;
        outcome.leader_epoch = row->leader_epoch;
      }
    }
    Stats::Add(services_.stats->failed_produces, 1);
    done(std::move(outcome), -1);
  };
  Slot* slot = FindSlot(item.partition);
  if (slot == nullptr) return refuse(WhyAbsent(item.partition, Uuid()), "");
  Partition& partition = slot->partition;
  if (epoch >= 0 && partition.leader_epoch() != epoch) {
    return refuse(ErrorCode::kNotLeaderOrFollower, "another leader epoch");
  }
  const auto info = partition.AppendAsLeader(
      item.batch.view(), acks, origin, executor_.Now(), executor_.WallMs());
  if (!info) {
    Settle(*slot);
    return refuse(info.error().code, info.error().message);
  }
  outcome.base_offset = info->first_offset;
  outcome.log_append_time_ms = info->log_append_time_ms;
  outcome.log_start_offset = partition.log().start_offset();
  const Offset last = info->last_offset;
  if (acks == 0) {
    Settle(*slot);
    return done(std::move(outcome), last);
  }
  const uint64_t id = slot->produces.Add(
      last + 1, acks == -1,
      [this, outcome = std::move(outcome), last, done = std::move(done),
       name = item.partition](ErrorCode error) mutable {
        if (error != ErrorCode::kNone) {
          outcome = ProduceOutcome();
          outcome.error = error;
          if (const auto* row =
                  env_.image->FindPartition(name.topic, name.partition);
              row != nullptr && error == ErrorCode::kNotLeaderOrFollower) {
            outcome.leader = row->leader;
            outcome.leader_epoch = row->leader_epoch;
          }
          Stats::Add(services_.stats->failed_produces, 1);
        }
        done(std::move(outcome), error == ErrorCode::kNone ? last : -1);
      });
  // A duplicate, or a log that is never synced, may be done already.
  Complete(slot->produces.TakeReached(partition.log().flushed_offset(),
                                      partition.high_watermark(),
                                      partition.CheckAfterCommit()));
  if (!slot->produces.empty()) {
    slot->produces.SetDeadline(
        id, deadlines_.Add(deadline, [this, name = item.partition, id] {
          Slot* waiting = FindSlot(name);
          if (waiting == nullptr) return;
          auto expired =
              waiting->produces.Take(id, ErrorCode::kRequestTimedOut);
          if (expired) expired->done(expired->error);
        }));
  }
  Settle(*slot);
}

std::vector<FetchAnswer> ReplicaShard::Read(
    const Reader& reader, const std::vector<const ReadItem*>& items,
    size_t budget, size_t min_bytes,
    const std::shared_ptr<FetchWaiter>& waiter) {
  std::vector<FetchAnswer> answers;
  answers.reserve(items.size());
  std::vector<Slot*> slots;
  slots.reserve(items.size());
  size_t bytes = 0;
  bool at_once = false;
  const Instant now = executor_.Now();
  for (const ReadItem* item : items) {
    Slot* slot = FindSlot(item->partition);
    if (slot != nullptr && !item->topic_id.IsZero() &&
        slot->partition.topic_id() != item->topic_id) {
      slot = nullptr;
    }
    if (slot == nullptr) {
      FetchAnswer absent;
      absent.error = WhyAbsent(item->partition, item->topic_id);
      answers.push_back(std::move(absent));
      slots.push_back(nullptr);
      at_once = true;
      continue;
    }
    const size_t left = bytes < budget ? budget - bytes : 0;
    const size_t most =
        std::min(left, static_cast<size_t>(std::max(item->max_bytes, 0)));
    const bool at_least_one = bytes == 0;
    FetchAnswer answer;
    if (reader.IsFollower()) {
      answer = slot->partition.FetchAsFollower(
          FollowerFetch{reader.replica, reader.broker_epoch,
                        item->current_leader_epoch, item->fetch_offset,
                        item->last_fetched_epoch, item->flushed_offset},
          most, at_least_one, now);
    } else {
      answer = slot->partition.FetchAsConsumer(
          ConsumerFetch{item->current_leader_epoch, item->fetch_offset,
                        item->last_fetched_epoch},
          most, at_least_one);
    }
    bytes += answer.records.size();
    at_once |= answer.error != ErrorCode::kNone || answer.diverging.has_value();
    answers.push_back(std::move(answer));
    slots.push_back(slot);
    Settle(*slot);
  }
  if (waiter == nullptr || at_once || bytes >= min_bytes) return answers;
  for (size_t i = 0; i < items.size(); ++i) {
    // Settling one partition cannot have removed another.
    slots[i]->watches.Add(reader.id, waiter, reader.IsFollower(),
                          answers[i].limit, slots[i]->partition);
    // What another partition of this fetch has brought about meanwhile.
    slots[i]->watches.Moved(slots[i]->partition);
  }
  return answers;
}

Result<LogChunk> ReplicaShard::ReadLog(const TopicPartition& name,
                                       LeaderEpoch epoch, Offset from,
                                       size_t max_bytes) {
  Slot* slot = FindSlot(name);
  if (slot == nullptr || !slot->partition.IsLeader() ||
      slot->partition.leader_epoch() != epoch) {
    return Fail(ErrorCode::kNotLeaderOrFollower);
  }
  log::Log& log = slot->partition.log();
  if (log.failed()) return Fail(ErrorCode::kKafkaStorageError);
  LogChunk chunk;
  chunk.start_offset = log.start_offset();
  chunk.end_offset = log.end_offset();
  chunk.high_watermark = slot->partition.high_watermark();
  const Offset start = std::max(from, chunk.start_offset);
  if (start >= chunk.end_offset) return chunk;
  TM_ASSIGN_OR_RETURN(chunk.batches,
                      log.Read(start, chunk.end_offset, max_bytes, true));
  return chunk;
}

Result<log::TimestampedOffset> ReplicaShard::FindOffset(
    const TopicPartition& name, int64_t timestamp,
    LeaderEpoch current_leader_epoch) {
  Slot* slot = FindSlot(name);
  if (slot == nullptr) return Fail(WhyAbsent(name, Uuid()));
  return slot->partition.FindOffset(timestamp, current_leader_epoch);
}

Result<log::EpochEnd> ReplicaShard::EndOffsetFor(
    const TopicPartition& name, LeaderEpoch epoch,
    LeaderEpoch current_leader_epoch) {
  Slot* slot = FindSlot(name);
  if (slot == nullptr) return Fail(WhyAbsent(name, Uuid()));
  return slot->partition.EndOffsetFor(epoch, current_leader_epoch);
}

void ReplicaShard::AlterPartitionAnswered(const Uuid& topic_id,
                                          PartitionIndex partition,
                                          const AlterPartitionResult& result,
                                          PartitionEpoch asked_with) {
  const metadata::TopicImage* topic = env_.image->FindTopic(topic_id);
  if (topic == nullptr) return;
  Slot* slot = FindSlot({topic->name, partition});
  if (slot == nullptr || slot->partition.topic_id() != topic_id) return;
  slot->partition.AlterPartitionAnswered(result, asked_with, executor_.Now());
  Settle(*slot);
}

void ReplicaShard::Tick() {
  const Instant now = executor_.Now();
  for (auto& [name, slot] : slots_) {
    slot->partition.Tick(now);
    Settle(*slot);
  }
}

void ReplicaShard::ApplyRetention() {
  const int64_t now_ms = executor_.WallMs();
  for (auto& [name, slot] : slots_) {
    if (slot->partition.failed()) continue;
    const auto dropped = slot->partition.ApplyRetention(now_ms);
    if (!dropped) {
      LOG(ERROR) << "retention failed partition=" << ToString(name)
                 << " error=" << ToString(dropped.error());
    } else if (*dropped > 0) {
      LOG(INFO) << "retention dropped segments=" << *dropped
                << " partition=" << ToString(name)
                << " start=" << slot->partition.log().start_offset();
    }
    Settle(*slot);
  }
}

void ReplicaShard::CollectHighWatermarks(log::OffsetMap* into) const {
  for (const auto& [name, slot] : slots_) {
    if (slot->partition.failed()) continue;  // B-32
    (*into)[name] = slot->partition.high_watermark();
  }
}

void ReplicaShard::WriteCheckpoints() {
  std::vector<std::pair<TopicPartition, LogStore::Checkpoint>> changed;
  std::vector<Slot*> slots;
  for (auto& [name, slot] : slots_) {
    log::Log& log = slot->partition.log();
    if (log.failed() || (slot->checkpoint.recovery_point == log.end_offset() &&
                         slot->checkpoint.start_offset == log.start_offset())) {
      continue;
    }
    const auto point = log.RecoveryPoint();
    if (!point) {
      LOG(ERROR) << "no recovery point partition=" << ToString(name)
                 << " error=" << ToString(point.error());
      Settle(*slot);
      continue;
    }
    changed.emplace_back(name,
                         LogStore::Checkpoint{*point, log.start_offset()});
    slots.push_back(slot.get());
  }
  if (changed.empty()) return;
  if (auto written = services_.logs->WriteCheckpoints(changed); !written) {
    LOG(ERROR) << "cannot write checkpoints error="
               << ToString(written.error());
    return;
  }
  for (size_t i = 0; i < slots.size(); ++i) {
    slots[i]->checkpoint = changed[i].second;
  }
}

std::vector<std::unique_ptr<log::Log>> ReplicaShard::Close() {
  closed_ = true;
  fetchers_.clear();
  std::vector<std::unique_ptr<log::Log>> logs;
  for (auto& [name, slot] : slots_) {
    Complete(slot->produces.TakeAll(ErrorCode::kNotLeaderOrFollower));
    slot->watches.WakeAll();
    logs.push_back(slot->partition.ReleaseLog());
  }
  slots_.clear();
  return logs;
}

}  // namespace tidemark::replication
