#include "broker/replication/replica_shard.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

// What the fetchers of this shard see of it.
class ReplicaShard::Target final : public FetchTarget {
 public:
  explicit Target(ReplicaShard& shard) : shard_(shard) {}
  Partition* Find(const TopicPartition& name) override {
    return shard_.Find(name);
  }
  void Changed(Partition& partition) override {
    Slot* slot = shard_.state_.Find(partition.name());
    if (slot != nullptr) shard_.effects_.Settle(*slot);
  }
  BrokerEpoch broker_epoch() const override {
    const ShardState& state = shard_.state_;
    const auto* self = state.env.image->FindBroker(state.options.self);
    return self == nullptr ? -1 : self->epoch;
  }
  void Standing(NodeId leader, PeerStanding standing) override {
    const auto& tell = shard_.state_.services.tell_standing;
    if (tell) tell(leader, standing);
  }

 private:
  ReplicaShard& shard_;
};

ReplicaShard::ReplicaShard(Executor& executor, ShardOptions options,
                           ShardServices services)
    : state_(executor, std::move(options), std::move(services)),
      target_(std::make_unique<Target>(*this)),
      fetchers_(state_, *target_),
      effects_(state_, fetchers_),
      table_(state_, effects_, fetchers_),
      produce_(state_, effects_),
      deletions_(state_, effects_),
      read_(state_, effects_),
      housekeeping_(state_, effects_) {
  state_.env.self = state_.options.self;
  state_.env.lag_max = state_.options.lag_max;
  state_.env.session_timeout = state_.options.session_timeout;
  state_.env.image = std::make_shared<const metadata::Image>();
  state_.env.stats = state_.services.stats;
  state_.env.to_followers = state_.services.to_followers;
  state_.env.from_leaders = state_.services.from_leaders;
  if (const size_t bytes = state_.options.batch_cache_bytes; bytes > 0) {
    state_.env.newest = std::make_shared<log::BatchCache>(bytes);
  }
  state_.env.found_corrupt = [this, alive = state_.alive, on = &executor](
                                 const TopicPartition& name,
                                 const WhichLog& which, Offset from,
                                 const Error& error) {
    on->Post([this, alive, name, which, from, error] {
      if (*alive) FoundCorrupt(name, which, from, error);
    });
  };
}

ReplicaShard::~ReplicaShard() { *state_.alive = false; }

Partition* ReplicaShard::Find(const TopicPartition& partition) {
  Slot* slot = state_.Find(partition);
  return slot == nullptr ? nullptr : &slot->partition;
}

void ReplicaShard::ApplyImage(const metadata::ImagePtr& image,
                              const metadata::Delta& delta,
                              const PartitionTable::Mine& mine) {
  if (!state_.closed) table_.ApplyImage(image, delta, mine);
}

void ReplicaShard::Tick() {
  if (state_.closed) return;
  table_.RetryUnopened();
  housekeeping_.Tick();
}

void ReplicaShard::AlterPartitionAnswered(const Uuid& topic_id,
                                          PartitionIndex partition,
                                          const AlterPartitionResult& result,
                                          PartitionEpoch asked_with) {
  const metadata::TopicImage* topic = state_.env.image->FindTopic(topic_id);
  if (topic == nullptr) return;
  Slot* slot = state_.Find({topic->name, partition});
  if (slot == nullptr || slot->partition.topic_id() != topic_id) return;
  slot->partition.AlterPartitionAnswered(result, asked_with,
                                         state_.executor.Now());
  effects_.Settle(*slot);
}

void ReplicaShard::FoundCorrupt(const TopicPartition& name,
                                const WhichLog& which, Offset from,
                                const Error& error) {
  Slot* slot = state_.Find(name);
  if (slot == nullptr || slot->partition.which_log() != which) return;
  slot->partition.FoundCorrupt(from, error);
  effects_.Settle(*slot);
}

std::vector<ReplicaSize> ReplicaShard::Sizes() const {
  std::vector<ReplicaSize> sizes;
  sizes.reserve(state_.slots.size());
  for (const auto& [name, slot] : state_.slots) {
    const Partition& partition = slot->partition;
    if (partition.away()) continue;
    const log::Log& log = partition.log();
    const std::string& dir = log.dir();
    sizes.push_back(
        {name, dir.substr(0, dir.rfind('/')), log.size_bytes(),
         std::max<Offset>(0, partition.high_watermark() - log.end_offset()),
         log.end_offset()});
  }
  return sizes;
}

Result<ReplicaState> ReplicaShard::StateOf(const TopicPartition& name) const {
  const Slot* slot = state_.Find(name);
  if (slot == nullptr) {
    const ErrorCode why = state_.WhyAbsent(name, Uuid());
    const auto* row =
        state_.env.image->FindPartition(name.topic, name.partition);
    const bool assigned =
        row != nullptr &&
        std::ranges::count(row->replicas, state_.options.self);
    return Fail(row != nullptr && !assigned ? ErrorCode::kReplicaNotAvailable
                                            : why);
  }
  const Partition& partition = slot->partition;
  if (partition.away()) return Fail(ErrorCode::kNotLeaderOrFollower);
  if (partition.failed()) return Fail(ErrorCode::kKafkaStorageError);
  const log::Log& log = partition.log();
  ReplicaState state;
  state.which_log = partition.which_log();
  state.topic_id = partition.topic_id();
  state.directory = log.dir().substr(0, log.dir().rfind('/'));
  state.config = table_.ConfigOf(name.topic);
  state.start_offset = log.start_offset();
  state.end_offset = log.end_offset();
  state.high_watermark = partition.high_watermark();
  state.latest_epoch = log.latest_epoch();
  state.latest_epoch_start =
      log.EndOffsetFor(state.latest_epoch - 1).end_offset;
  return state;
}

Status ReplicaShard::HoldUp(const TopicPartition& name, const Uuid& topic_id) {
  Slot* slot = state_.Find(name);
  if (slot == nullptr || slot->partition.topic_id() != topic_id) {
    return Fail(ErrorCode::kUnknownTopicOrPartition);
  }
  TM_RETURN_IF_ERROR(slot->partition.HoldUp());
  const Instant now = state_.executor.Now();
  holds_[name] = {topic_id, now};
  state_.executor.PostAfter(kLongestHold,
                            [this, alive = state_.alive, name, now] {
                              if (*alive) EndHold(name, now);
                            });
  return {};
}

bool ReplicaShard::IsHeldUp(const TopicPartition& name,
                            const Uuid& topic_id) const {
  const Slot* slot = state_.Find(name);
  return slot != nullptr && slot->partition.topic_id() == topic_id &&
         slot->partition.held_up();
}

bool ReplicaShard::KeepHeldUp(const TopicPartition& name,
                              const Uuid& topic_id) {
  if (!IsHeldUp(name, topic_id)) return false;
  holds_.erase(name);
  return true;
}

// Whoever holds it up waits for a disk, which may never answer.
void ReplicaShard::EndHold(const TopicPartition& name, Instant since) {
  const auto it = holds_.find(name);
  if (state_.closed || it == holds_.end() || it->second.since != since) return;
  const Uuid topic_id = it->second.topic_id;
  holds_.erase(it);
  LetGo(name, topic_id);
}

void ReplicaShard::LetGo(const TopicPartition& name, const Uuid& topic_id) {
  if (!IsHeldUp(name, topic_id)) return;
  holds_.erase(name);
  Slot& slot = *state_.Find(name);
  slot.partition.LetGo(state_.executor.Now());
  fetchers_.Resume(slot, true);
  effects_.Settle(slot);
}

std::unique_ptr<log::Log> ReplicaShard::Exchange(
    const TopicPartition& name, std::unique_ptr<log::Log> log) {
  Slot& slot = *state_.Find(name);
  auto original =
      slot.partition.Exchange(std::move(log), state_.executor.Now());
  // Written down in another directory from now on.
  slot.checkpointed_high_watermark = -1;
  holds_.erase(name);
  fetchers_.Resume(slot, true);
  effects_.Settle(slot);
  return original;
}

std::vector<TopicPartition> ReplicaShard::Partitions() const {
  std::vector<TopicPartition> names;
  names.reserve(state_.slots.size());
  for (const auto& [name, slot] : state_.slots) names.push_back(name);
  return names;
}

void ReplicaShard::Close(std::function<void(PartitionTable::Logs)> done) {
  fetchers_.Close();
  table_.Close(std::move(done));
}

}  // namespace tidemark::replication
