#include "broker/replication/partition_table.h"

#include <glog/logging.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/metadata/configs.h"
#include "common/metadata/throttled_replicas.h"

namespace tidemark::replication {

namespace {

int64_t ToNumber(const std::string& text, int64_t otherwise) {
  int64_t value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double ToFraction(const std::string& text, double otherwise) {
  double value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

log::LogConfig LogConfigOf(const ShardState& state, const std::string& topic,
                           int32_t* min_isr) {
  const auto get = [&](std::string_view key) {
    return metadata::ResolveTopicConfig(*state.env.image, topic, key,
                                        state.options.self,
                                        state.options.static_configs)
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
  config.file_delete_delay_ms =
      ToNumber(get("file.delete.delay.ms"), config.file_delete_delay_ms);
  config.min_cleanable_ratio =
      ToFraction(get("min.cleanable.dirty.ratio"), config.min_cleanable_ratio);
  config.min_compaction_lag_ms =
      ToNumber(get("min.compaction.lag.ms"), config.min_compaction_lag_ms);
  config.max_compaction_lag_ms =
      ToNumber(get("max.compaction.lag.ms"), config.max_compaction_lag_ms);
  config.delete_retention_ms =
      ToNumber(get("delete.retention.ms"), config.delete_retention_ms);
  config.log_append_time = get("message.timestamp.type") == "LogAppendTime";
  config.flush_messages =
      ToNumber(get("flush.messages"), config.flush_messages);
  const auto of_broker = [&](std::string_view key) {
    return metadata::ResolveBrokerConfig(*state.env.image, key,
                                         state.options.self,
                                         state.options.static_configs);
  };
  config.producer_expiration_ms = state.options.producer_expiration_ms;
  config.verifies_transactions = state.options.verifies_transactions;
  if (const auto set = of_broker("producer.id.expiration.ms");
      set.source != metadata::ConfigSource::kDefault) {
    config.producer_expiration_ms =
        ToNumber(set.value, config.producer_expiration_ms);
  }
  if (const auto set = of_broker("transaction.partition.verification.enable");
      set.source != metadata::ConfigSource::kDefault) {
    config.verifies_transactions = set.value != "false";
  }
  *min_isr = static_cast<int32_t>(ToNumber(get("min.insync.replicas"), 1));
  return config;
}

}  // namespace

ErrorCode ShardState::WhyAbsent(const TopicPartition& partition,
                                const Uuid& topic_id) const {
  if (!topic_id.IsZero() && env.image->FindTopic(topic_id) == nullptr) {
    return ErrorCode::kUnknownTopicId;
  }
  const metadata::TopicImage* topic = env.image->FindTopic(partition.topic);
  if (topic == nullptr) return ErrorCode::kUnknownTopicOrPartition;
  if (!topic_id.IsZero() && topic->id != topic_id) {
    return ErrorCode::kInconsistentTopicId;
  }
  if (partition.partition < 0 ||
      static_cast<size_t>(partition.partition) >= topic->partitions.size()) {
    return ErrorCode::kUnknownTopicOrPartition;
  }
  return unopened.contains(partition) ? ErrorCode::kKafkaStorageError
                                      : ErrorCode::kNotLeaderOrFollower;
}

log::LogConfig PartitionTable::ConfigOf(const std::string& topic) const {
  int32_t min_isr = 1;
  return LogConfigOf(state_, topic, &min_isr);
}

PartitionTable::PartitionTable(ShardState& state, EffectRunner& effects,
                               FollowerFetchers& fetchers)
    : state_(state), effects_(effects), fetchers_(fetchers) {
  state_.came_back = [this](const TopicPartition& name,
                            std::unique_ptr<log::Log> log) {
    CameBack(name, std::move(log));
  };
}

void PartitionTable::ApplyImage(const metadata::ImagePtr& image,
                                const metadata::Delta& delta,
                                const Mine& mine) {
  state_.env.image = image;
  // Deletions first: the same name may come back with another id (B-14).
  for (const auto& [id, topic] : delta.deleted_topics) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const TopicPartition name{topic->name, static_cast<PartitionIndex>(i)};
      NotUnopened(name);
      const Slot* slot = state_.Find(name);
      if (slot != nullptr && slot->partition.topic_id() == id) Remove(name);
    }
  }
  for (const std::string& topic_name : delta.changed_topics) {
    const metadata::TopicImage* topic = image->FindTopic(topic_name);
    if (topic == nullptr) continue;
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const TopicPartition name{topic_name, static_cast<PartitionIndex>(i)};
      if (mine(name)) ApplyRow(name, *topic, *topic->partitions[i]);
    }
  }
  for (const metadata::Resource& resource : delta.changed_configs) {
    if (resource.type != metadata::ResourceType::kTopic &&
        resource.type != metadata::ResourceType::kBroker) {
      continue;
    }
    for (auto& [name, slot] : state_.slots) {
      if (resource.type == metadata::ResourceType::kTopic &&
          resource.name != name.topic) {
        continue;
      }
      int32_t min_isr = 1;
      const log::LogConfig config = LogConfigOf(state_, name.topic, &min_isr);
      slot->partition.UpdateConfig(config, min_isr);
      SetThrottled(*slot);
      effects_.Settle(*slot);
    }
  }
  if (delta.changed_brokers.empty()) return;
  for (auto& [name, slot] : state_.slots) {
    slot->partition.BrokersChanged(state_.executor.Now());
    effects_.Settle(*slot);
  }
  fetchers_.BrokersChanged(
      {delta.changed_brokers.begin(), delta.changed_brokers.end()});
}

bool PartitionTable::IsAssigned(const metadata::PartitionImage& row) const {
  return std::find(row.replicas.begin(), row.replicas.end(),
                   state_.options.self) != row.replicas.end();
}

bool PartitionTable::IsAssigned(const TopicPartition& name,
                                const Uuid& topic_id) const {
  const metadata::TopicImage* topic = state_.env.image->FindTopic(topic_id);
  return topic != nullptr && topic->name == name.topic &&
         static_cast<size_t>(name.partition) < topic->partitions.size() &&
         IsAssigned(*topic->partitions[static_cast<size_t>(name.partition)]);
}

void PartitionTable::ApplyRow(const TopicPartition& name,
                              const metadata::TopicImage& topic,
                              const metadata::PartitionImage& row) {
  Slot* slot = state_.Find(name);
  if (slot != nullptr && slot->partition.topic_id() != topic.id) {
    Remove(name);
    slot = nullptr;
  }
  if (!IsAssigned(row)) {
    NotUnopened(name);
    if (slot != nullptr) Remove(name);
    return;
  }
  if (slot == nullptr && state_.away.contains(name)) return;
  if (slot == nullptr) slot = Take(name, topic);
  if (slot == nullptr) return Open(name, topic, row);
  slot->partition.ApplyRow(row, state_.executor.Now());
  effects_.Settle(*slot);
}

Slot* PartitionTable::Take(const TopicPartition& name,
                           const metadata::TopicImage& topic) {
  int32_t min_isr = 1;
  auto log = state_.services.logs->Take(
      name, topic.id, LogConfigOf(state_, name.topic, &min_isr));
  return log == nullptr ? nullptr : Add(name, topic.id, std::move(log));
}

void PartitionTable::Open(const TopicPartition& name,
                          const metadata::TopicImage& topic,
                          const metadata::PartitionImage& row) {
  int32_t min_isr = 1;
  const log::LogConfig config = LogConfigOf(state_, name.topic, &min_isr);
  state_.away.insert(name);
  // One that is to come and has told of no directory has had none.
  const NodeId self = state_.options.self;
  const bool is_new = row.partition_epoch == 0 ||
                      (std::find(row.adding.begin(), row.adding.end(), self) !=
                           row.adding.end() &&
                       row.DirectoryOf(self).IsZero());
  state_.services.logs->Open(
      name, topic.id, config, is_new, state_.executor.WallMs(),
      [this, alive = state_.alive, executor = &state_.executor, name,
       topic_id = topic.id](Result<std::unique_ptr<log::Log>> opened) {
        auto result = std::make_shared<decltype(opened)>(std::move(opened));
        executor->Post([this, alive, name, topic_id, result] {
          if (*alive) Opened(name, topic_id, std::move(*result));
        });
      });
}

void PartitionTable::Opened(const TopicPartition& name, const Uuid& topic_id,
                            Result<std::unique_ptr<log::Log>> opened) {
  state_.away.erase(name);
  if (state_.closed) {
    if (opened) logs_.push_back(std::move(*opened));
    return MaybeClosed();
  }
  const bool assigned = IsAssigned(name, topic_id);
  if (opened && assigned) {
    Add(name, topic_id, std::move(*opened));
  } else if (opened) {
    state_.services.logs->Delete(std::move(*opened));
  } else if (assigned) {
    if (state_.unopened.insert_or_assign(name, topic_id).second) {
      Stats::Add(state_.services.stats->offline, 1);
      LOG(ERROR) << "cannot open log partition=" << ToString(name)
                 << " error=" << ToString(opened.error());
    }
    return;
  }
  Refresh(name);
}

void PartitionTable::CameBack(const TopicPartition& name,
                              std::unique_ptr<log::Log> log) {
  state_.away.erase(name);
  if (state_.closed) {
    logs_.push_back(std::move(log));
    return MaybeClosed();
  }
  state_.services.logs->Delete(std::move(log));
  Refresh(name);
}

Slot* PartitionTable::Add(const TopicPartition& name, const Uuid& topic_id,
                          std::unique_ptr<log::Log> log) {
  NotUnopened(name);
  // It may have changed while the log was opened.
  int32_t min_isr = 1;
  log->UpdateConfig(LogConfigOf(state_, name.topic, &min_isr));
  auto slot = std::make_unique<Slot>(
      name, topic_id, std::move(log), &state_.env,
      state_.services.logs->HighWatermark(name), min_isr);
  Stats::Add(state_.services.stats->partitions, 1);
  SetThrottled(*slot);
  return state_.slots.emplace(name, std::move(slot)).first->second.get();
}

void PartitionTable::SetThrottled(Slot& slot) const {
  const TopicPartition& name = slot.partition.name();
  const auto named = [&](std::string_view key) {
    const auto list = metadata::ResolveTopicConfig(
        *state_.env.image, name.topic, key, state_.options.self,
        state_.options.static_configs);
    return metadata::IsThrottledReplica(list.value, name.partition,
                                        state_.options.self);
  };
  slot.partition.SetThrottled(named("leader.replication.throttled.replicas"),
                              named("follower.replication.throttled.replicas"));
}

void PartitionTable::Refresh(const TopicPartition& name) {
  const auto* topic = state_.env.image->FindTopic(name.topic);
  const auto* row = state_.env.image->FindPartition(name.topic, name.partition);
  if (topic != nullptr && row != nullptr) ApplyRow(name, *topic, *row);
}

void PartitionTable::NotUnopened(const TopicPartition& name) {
  if (state_.unopened.erase(name) == 0) return;
  Stats::Add(state_.services.stats->offline, -1);
}

void PartitionTable::RetryUnopened() {
  const auto unopened = state_.unopened;
  for (const auto& [name, topic_id] : unopened) {
    if (IsAssigned(name, topic_id)) Refresh(name);
  }
}

void PartitionTable::Remove(const TopicPartition& name) {
  const auto it = state_.slots.find(name);
  if (it == state_.slots.end()) return;
  const std::unique_ptr<Slot> slot = std::move(it->second);
  state_.slots.erase(it);
  effects_.Dismiss(*slot);
  Stats::Add(state_.services.stats->partitions, -1);
  LOG(INFO) << "deleting replica partition=" << ToString(name)
            << " topic_id=" << ToString(slot->partition.topic_id());
  if (auto log = slot->partition.ReleaseLog()) {
    state_.services.logs->Delete(std::move(log));
  } else {
    state_.away.insert(name);
  }
}

void PartitionTable::Close(std::function<void(Logs)> done) {
  state_.closed = true;
  on_closed_ = std::move(done);
  for (auto& [name, slot] : std::exchange(state_.slots, {})) {
    effects_.Complete(slot->produces.TakeAll(ErrorCode::kNotLeaderOrFollower));
    slot->readers.WakeAll();
    if (auto log = slot->partition.ReleaseLog()) {
      logs_.push_back(std::move(log));
    } else {
      state_.away.insert(name);
    }
  }
  MaybeClosed();
}

void PartitionTable::MaybeClosed() {
  if (!on_closed_ || !state_.away.empty()) return;
  std::exchange(on_closed_, nullptr)(std::exchange(logs_, {}));
}

}  // namespace tidemark::replication
