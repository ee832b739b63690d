#include "broker/replication/effect_runner.h"

#include <glog/logging.h>

#include <utility>

namespace tidemark::replication {

namespace {

constexpr Duration kKeepStartPause = std::chrono::seconds(1);

void Gauge(Stats::Counter& gauge, bool& counted, bool now) {
  if (counted == now) return;
  counted = now;
  Stats::Add(gauge, now ? 1 : -1);
}

template <class T>
void Append(std::vector<T>* to, std::vector<T> from) {
  if (to->empty()) {
    *to = std::move(from);
    return;
  }
  for (T& one : from) to->push_back(std::move(one));
}

}  // namespace

void EffectRunner::Settle(Slot& slot) {
  std::vector<OffsetWaiters::Completed> completed;
  if (Effects effects = slot.partition.TakeEffects(); !effects.empty()) {
    for (int i = 0; i < kEffects; ++i) {
      const auto effect = static_cast<Effect>(i);
      if (effects.Has(effect)) Run(effect, effects, slot, &completed);
    }
  }
  SyncSoon(slot);
  Complete(std::move(completed));
}

void EffectRunner::Run(Effect effect, Effects& effects, Slot& slot,
                       std::vector<OffsetWaiters::Completed>* completed) {
  Partition& partition = slot.partition;
  switch (effect) {
    case Effect::kPropose:
      return state_.services.propose_isr(std::move(*effects.proposal));
    case Effect::kUnfollow:
      return fetchers_.Unfollow(slot);
    case Effect::kFollow:
      return fetchers_.Follow(slot);
    case Effect::kAnnounce:
      fetchers_.LeadershipChanged(slot, slot.partition.IsLeader());
      return Announce(slot, false);
    case Effect::kCount:
      return Count(slot, false);
    case Effect::kKeepStart:
      return KeepStart(slot);
    case Effect::kAskAnew:
      return fetchers_.Resume(slot, true);
    case Effect::kReport:
      return fetchers_.Flushed(slot);
    case Effect::kWakeReaders:
      return slot.readers.WakeAll();
    case Effect::kShowAppended:
    case Effect::kShowCommitted:
      return slot.readers.Moved(partition);
    case Effect::kLookAgain:
      return slot.readers.MarkReady();
    case Effect::kAbandon: {
      const ErrorCode why = partition.failed()
                                ? ErrorCode::kKafkaStorageError
                                : ErrorCode::kNotLeaderOrFollower;
      Append(completed, slot.produces.TakeAll(why));
      return Append(completed, slot.deletions.TakeAll(why));
    }
    case Effect::kComplete:
      if (!slot.deletions.empty() && partition.IsLeader()) {
        const Offset low = partition.LowWatermark();
        Append(completed,
               slot.deletions.TakeReached(low, low, ErrorCode::kNone));
      }
      if (slot.produces.empty()) return;
      return Append(completed,
                    slot.produces.TakeReached(partition.log().flushed_offset(),
                                              partition.high_watermark(),
                                              partition.CheckAfterCommit()));
    case Effect::kTellDamage:
      if (state_.services.tell_damage) {
        state_.services.tell_damage(partition.name(), partition.topic_id());
      }
      return;
    case Effect::kCut:
      return Cut(slot);
  }
}

void EffectRunner::Dismiss(Slot& slot) {
  fetchers_.Unfollow(slot);
  fetchers_.LeadershipChanged(slot, false);
  slot.readers.WakeAll();
  Announce(slot, true);
  Count(slot, true);
  Complete(slot.produces.TakeAll(ErrorCode::kNotLeaderOrFollower));
  Complete(slot.deletions.TakeAll(ErrorCode::kNotLeaderOrFollower));
}

void EffectRunner::Cut(Slot& slot) {
  LentLog lent = slot.partition.TakeCut();
  state_.services.logs->Do(
      std::move(lent.log),
      [cut = lent.cut](log::Log& log) { return CarryOut(cut, log); },
      [this, alive = state_.alive, executor = &state_.executor,
       name = slot.partition.name(), topic_id = slot.partition.topic_id()](
          std::unique_ptr<log::Log> log, const Status& cut) {
        auto back = std::make_shared<decltype(log)>(std::move(log));
        executor->Post([this, alive, name, topic_id, back, cut] {
          if (*alive) CutDone(name, topic_id, std::move(*back), cut);
        });
      });
}

void EffectRunner::CutDone(const TopicPartition& name, const Uuid& topic_id,
                           std::unique_ptr<log::Log> log, const Status& cut) {
  LOG_IF(ERROR, !cut) << "cannot cut log partition=" << ToString(name)
                      << " error=" << ToString(cut.error());
  Slot* slot = state_.Find(name);
  // While it was away nobody else could get the name.
  if (slot == nullptr) return state_.came_back(name, std::move(log));
  CHECK(slot->partition.topic_id() == topic_id) << ToString(name);
  const bool moved =
      slot->partition.CutDone(std::move(log), cut, state_.executor.Now());
  fetchers_.Resume(*slot, moved);
  Settle(*slot);
}

void EffectRunner::KeepStart(Slot& slot) {
  // Of several deletions the newest will be asked for when this one is done.
  if (std::exchange(slot.keeping_start, true)) return;
  const TopicPartition& name = slot.partition.name();
  state_.services.logs->KeepStart(
      name, [this, alive = state_.alive, executor = &state_.executor, name,
             topic_id = slot.partition.topic_id(),
             start = slot.partition.log().start_offset()](const Status& kept) {
        // What has run out may be there again then.
        const Duration pause = kept ? Duration::zero() : kKeepStartPause;
        executor->PostAfter(pause, [this, alive, name, topic_id, start,
                                    kept = kept.has_value()] {
          if (*alive) StartKept(name, topic_id, kept ? start : -1);
        });
      });
}

void EffectRunner::StartKept(const TopicPartition& name, const Uuid& topic_id,
                             Offset start) {
  Slot* slot = state_.Find(name);
  if (slot == nullptr || slot->partition.topic_id() != topic_id) return;
  slot->keeping_start = false;
  slot->partition.StartKept(start);
  const bool again = slot->partition.WantsStartKept() &&
                     !slot->partition.away() && !slot->partition.failed();
  if (again) KeepStart(*slot);
  Settle(*slot);
}

void EffectRunner::SyncSoon(Slot& slot) {
  if (slot.syncing || slot.sync_wanted || !slot.partition.NeedsSync()) return;
  slot.sync_wanted = true;
  to_sync_.push_back(slot.partition.name());
  if (to_sync_.size() > 1) return;
  // A follower's disk takes as long as this one, and its way there is longer:
  // first go the answers that followers wait for, which tasks that are posted
  // by now are about to post.
  state_.executor.Post([this, alive = state_.alive] {
    if (!*alive) return;
    state_.executor.Post([this, alive] {
      if (*alive) StartSyncs();
    });
  });
}

void EffectRunner::StartSyncs() {
  for (const TopicPartition& name : std::exchange(to_sync_, {})) {
    Slot* slot = state_.Find(name);
    if (slot == nullptr) continue;
    slot->sync_wanted = false;
    StartSync(*slot);
  }
}

void EffectRunner::StartSync(Slot& slot) {
  if (slot.syncing) return;
  auto work = slot.partition.TakeSync();
  if (!work) return;
  slot.syncing = true;
  // The log may be gone when the work is done; the name and id find it.
  SyncedWork done;
  done.partition = slot.partition.name();
  done.topic_id = slot.partition.topic_id();
  done.exchanges = slot.partition.exchanges();
  done.work.end_offset = work->end_offset;
  done.work.generation = work->generation;
  done.work.change = work->change;
  state_.services.logs->Sync(
      std::move(*work),
      [this, alive = state_.alive, executor = &state_.executor,
       synced = state_.synced, done = std::move(done)](Status status) mutable {
        done.status = std::move(status);
        {
          std::lock_guard lock(synced->mutex);
          synced->works.push_back(std::move(done));
          // The first of a round wakes the shard for all of them.
          if (synced->works.size() > 1) return;
        }
        executor->Post([this, alive] {
          if (*alive) SyncsDone();
        });
      });
}

void EffectRunner::SyncsDone() {
  std::vector<SyncedWork> works;
  {
    std::lock_guard lock(state_.synced->mutex);
    works.swap(state_.synced->works);
  }
  for (const SyncedWork& done : works) {
    SyncDone(done);
  }
}

void EffectRunner::SyncDone(const SyncedWork& done) {
  Slot* slot = state_.Find(done.partition);
  if (slot == nullptr || slot->partition.topic_id() != done.topic_id) return;
  slot->syncing = false;
  // The log has moved since, and all that was in it is on the other disk.
  const bool of_another = done.exchanges != slot->partition.exchanges();
  if (!done.status) {
    LOG(ERROR) << "sync failed partition=" << ToString(done.partition)
               << " error=" << ToString(done.status.error());
  }
  if (of_another) {
    // Nothing of it counts here.
  } else if (done.status) {
    slot->partition.Flushed(done.work, state_.executor.Now());
  } else {
    slot->partition.SyncFailed(done.work);
  }
  Settle(*slot);
}

void EffectRunner::Complete(std::vector<OffsetWaiters::Completed> completed) {
  for (auto& one : completed) {
    if (one.deadline) deadlines_.Cancel(*one.deadline);
    one.done(one.error);
  }
}

void EffectRunner::Expire(const TopicPartition& name,
                          OffsetWaiters Slot::*among, uint64_t waiter,
                          Instant deadline) {
  const auto key = deadlines_.Add(deadline, [this, name, among, waiter] {
    Slot* slot = state_.Find(name);
    if (slot == nullptr) return;
    auto expired = (slot->*among).Take(waiter, ErrorCode::kRequestTimedOut);
    if (expired) expired->done(expired->error);
  });
  (state_.Find(name)->*among).SetDeadline(waiter, key);
}

void EffectRunner::Announce(Slot& slot, bool removed) {
  const Partition& partition = slot.partition;
  const auto found = state_.services.listeners->find(partition.name().topic);
  if (found == state_.services.listeners->end()) return;
  const bool leads = !removed && partition.IsLeader() && !partition.failed();
  if (leads == slot.announced_leader &&
      partition.leader_epoch() == slot.announced_epoch) {
    return;
  }
  slot.announced_leader = leads;
  slot.announced_epoch = partition.leader_epoch();
  // From a turn of its own: listeners call back into the manager.
  for (LeadershipListener* listener : found->second) {
    state_.executor.Post([listener, leads, name = partition.name(),
                          epoch = partition.leader_epoch()] {
      if (leads) {
        listener->OnLeader(name, epoch);
      } else {
        listener->OnNotLeader(name, epoch);
      }
    });
  }
}

void EffectRunner::Count(Slot& slot, bool removed) {
  const Partition& partition = slot.partition;
  Stats& stats = *state_.services.stats;
  const bool leads = !removed && partition.IsLeader();
  Gauge(stats.leaders, slot.counted_leader, leads);
  Gauge(stats.under_replicated, slot.counted_under_replicated,
        leads && partition.UnderReplicated());
  Gauge(stats.under_min_isr, slot.counted_under_min_isr,
        leads && partition.isr().committed().size() < partition.min_isr());
  Gauge(stats.offline, slot.counted_offline, !removed && partition.failed());
}

}  // namespace tidemark::replication
