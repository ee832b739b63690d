// The follower's part of Partition.

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "broker/replication/partition.h"
#include "broker/replication/truncation.h"
#include "common/record/batch_header.h"

namespace tidemark::replication {

std::optional<FetchPositionOfFollower> Partition::FollowerPosition() const {
  if (role() != Role::kFollower || leader_ == kNoNode ||
      leader_ == env_->self || away() || held_up() || failed()) {
    return std::nullopt;
  }
  FetchPositionOfFollower position;
  position.leader = leader_;
  position.leader_epoch = leader_epoch_;
  position.fetch_offset = log_->end_offset();
  // The newest epoch known, also when it has no records: an epoch this replica
  // led in vain must be cut off before older records can follow here.
  position.last_fetched_epoch = log_->latest_epoch();
  position.flushed_offset = log_->flushed_offset();
  // What its disk has: a leader waits for that.
  position.log_start_offset = std::min(kept_start_, log_->start_offset());
  // Only what is compacted can have forgotten anything.
  if (log_->forgotten().id != 0 || log_->compacts()) {
    position.forgotten = log_->forgotten().id;
  }
  position.wants_committed = std::get<Following>(role_).read_at.has_value();
  return position;
}

Status Partition::AtPosition(const AskedWith& asked) const {
  if (away()) return Fail(ErrorCode::kNotLeaderOrFollower, "it is being cut");
  if (held_up()) return Fail(ErrorCode::kNotLeaderOrFollower, "it moves");
  if (failed()) return Fail(ErrorCode::kKafkaStorageError);
  if (role() != Role::kFollower || asked.leader_epoch != leader_epoch_) {
    return Fail(ErrorCode::kFencedLeaderEpoch);
  }
  if (asked.fetch_offset != log_->end_offset() ||
      asked.last_fetched_epoch != log_->latest_epoch()) {
    return Fail(ErrorCode::kOffsetOutOfRange, "the log has moved on");
  }
  return {};
}

Status Partition::AppendFetched(const AskedWith& asked,
                                const SharedBytes& records,
                                Offset leader_high_watermark,
                                Offset leader_start) {
  TM_RETURN_IF_ERROR(AtPosition(asked));
  const Fetched fetched{records, leader_high_watermark, leader_start};
  if (const auto at = StartsOverAt(records.view())) {
    Lend({LogCut::Kind::kStartOver, *at});
    away_->fetched = fetched;
    return {};
  }
  return TakeFetched(fetched);
}

// A leader's start may lie inside a batch (DeleteRecords). A log that starts
// over there takes the whole batch, and with it the batch's base.
std::optional<Offset> Partition::StartsOverAt(std::string_view batches) const {
  if (batches.empty() || log_->start_offset() != log_->end_offset()) {
    return std::nullopt;
  }
  const auto first = record::ParseBatchHeader(batches);
  if (!first || first->base_offset >= log_->end_offset() ||
      first->LastOffset() < log_->end_offset()) {
    return std::nullopt;
  }
  return first->base_offset;
}

Status Partition::TakeFetched(const Fetched& fetched) {
  if (!fetched.records.empty()) {
    if (Status appended = Append(fetched.records.view()); !appended) {
      NoticeFailure();
      return appended;
    }
  }
  // B-03. Never backwards: a new leader may not know yet what is committed.
  const Offset reached =
      std::min(fetched.leader_high_watermark, log_->end_offset());
  if (reached > high_watermark_) SetHighWatermark(reached);
  // B-13: what the leader has deleted is deleted here too.
  const Offset start = std::min(fetched.leader_start, high_watermark_);
  if (start > log_->start_offset()) {
    const Status advanced = log_->AdvanceStartOffset(start);
    NoticeFailure();
    return advanced;
  }
  return {};
}

void Partition::KeepStart(Offset wanted) {
  if (role() != Role::kFollower || away() || wanted > log_->start_offset()) {
    return;
  }
  keep_wanted_ = std::max(keep_wanted_, wanted);
  if (WantsStartKept()) effects_.Add(Effect::kKeepStart);
}

void Partition::StartKept(Offset start) {
  if (start <= kept_start_) return;
  kept_start_ = start;
  effects_.Add(IsLeader() ? Effect::kComplete : Effect::kAskAnew);
}

Status Partition::Append(std::string_view batches) {
  const Offset end_before = log_->end_offset();
  TM_RETURN_IF_ERROR(log_->AppendAsFollower(batches));
  CountAppended(end_before, batches.size());
  Stats::Add(env_->stats->replication_bytes_in,
             static_cast<int64_t>(batches.size()));
  if (log_->flushed_offset() == log_->end_offset()) {
    effects_.Add(Effect::kReport);
  }
  return {};
}

Status CarryOut(const LogCut& cut, log::Log& log) {
  switch (cut.kind) {
    case LogCut::Kind::kTruncate:
      return log.TruncateTo(cut.at);
    case LogCut::Kind::kDamaged:
      return log.TruncateDamaged(cut.at);
    case LogCut::Kind::kStartOver:
      TM_RETURN_IF_ERROR(log.TruncateFullyAndStartAt(cut.at));
      return cut.from ? log.BeginFrom(*cut.from) : Status();
  }
  return {};
}

void Partition::Lend(LogCut cut) {
  Away& away = away_.emplace();
  away.cut = cut;
  away.before = End();
  effects_.Add(Effect::kCut);
}

AskedWith Partition::End() const {
  return {leader_epoch_, log_->end_offset(), log_->latest_epoch()};
}

LentLog Partition::TakeCut() { return {std::move(log_), away_->cut}; }

bool Partition::CutDone(std::unique_ptr<log::Log> log, const Status& cut,
                        Instant now) {
  log_ = std::move(log);
  kept_start_ = std::min(kept_start_, log_->start_offset());
  const Away away = *std::exchange(away_, std::nullopt);
  if (away.config) log_->UpdateConfig(*away.config);
  for (const auto& [work, synced] : away.syncs) {
    synced ? Flushed(work, now) : SyncFailed(work);
  }
  // One that has failed may have taken a part.
  ForgetBeyond(cut ? away.cut.at : log_->end_offset());
  const bool went_on = cut && AfterCut(away.cut, away.fetched);
  const AskedWith end = End();
  const bool moved =
      went_on && (away.cut.from.has_value() ||
                  end.fetch_offset != away.before.fetch_offset ||
                  end.last_fetched_epoch != away.before.last_fetched_epoch);
  NoticeFailure();
  if (away.row) ApplyRow(*away.row, now);
  // Not where the cut has failed: that waits for another row, or reader.
  if (cut && corrupt_from_ && !this->away()) HandleCorrupt();
  return moved;
}

void Partition::ForgetBeyond(Offset end) {
  while (!uncommitted_.empty() && uncommitted_.back().first > end) {
    uncommitted_.pop_back();
  }
  if (high_watermark_ > log_->end_offset()) {
    SetHighWatermark(log_->end_offset());
  }
}

Status Partition::AfterCut(const LogCut& cut,
                           const std::optional<Fetched>& fetched) {
  if (cut.kind == LogCut::Kind::kDamaged && corrupt_from_ >= cut.at) {
    corrupt_from_.reset();
  }
  Status taken;  // or it is fetched again
  if (fetched) {
    taken = TakeFetched(*fetched);
  } else if (cut.kind == LogCut::Kind::kStartOver) {
    SetHighWatermark(cut.at);
  }
  return taken;
}

Duration Partition::FetchedThrottled(size_t bytes, Instant now) {
  if (!throttled_as_follower_ || env_->from_leaders == nullptr) {
    return Duration::zero();
  }
  const auto* row = env_->image->FindPartition(name_.topic, name_.partition);
  if (row != nullptr && std::find(row->isr.begin(), row->isr.end(),
                                  env_->self) != row->isr.end()) {
    return Duration::zero();
  }
  env_->from_leaders->Moved(bytes, now);
  return env_->from_leaders->Wait(now);
}

Status Partition::Diverged(const AskedWith& asked, log::EpochEnd leader) {
  TM_RETURN_IF_ERROR(AtPosition(asked));
  // A leader names an epoch this log has or has passed; one newer than all
  // of it would leave nothing to compare but the offset.
  const log::EpochEnd own =
      leader.epoch > log_->latest_epoch()
          ? log::EpochEnd{log_->latest_epoch(), log_->end_offset()}
          : log_->EndOffsetFor(leader.epoch);
  const Offset target =
      TruncationTarget(leader, own, log_->start_offset(), log_->end_offset());
  LOG(INFO) << "truncating partition=" << ToString(name_) << " to=" << target
            << " from=" << log_->end_offset() << " epoch=" << leader_epoch_
            << " diverging_epoch=" << leader.epoch
            << " diverging_end=" << leader.end_offset;
  if (target < high_watermark_) {
    // B-12: only an unclean election can cause this.
    LOG(WARNING) << "truncating below the high watermark partition="
                 << ToString(name_) << " to=" << target
                 << " high_watermark=" << high_watermark_
                 << " epoch=" << leader_epoch_;
    Stats::Add(env_->stats->truncations_below_high_watermark, 1);
  }
  Lend({LogCut::Kind::kTruncate, target});
  return {};
}

Status Partition::BeginAnew(const AskedWith& asked, Offset leader_start,
                            const log::Forgotten& forgotten) {
  TM_RETURN_IF_ERROR(AtPosition(asked));
  if (log_->end_offset() > log_->start_offset()) {
    LOG(WARNING) << "beginning anew, for the leader has forgotten deletions "
                    "partition="
                 << ToString(name_) << " at=" << leader_start
                 << " from=" << log_->end_offset()
                 << " forgotten_below=" << forgotten.below
                 << " epoch=" << leader_epoch_;
  }
  Lend({LogCut::Kind::kStartOver, leader_start, forgotten});
  return {};
}

Status Partition::OutOfRange(const AskedWith& asked, Offset leader_start) {
  TM_RETURN_IF_ERROR(AtPosition(asked));
  if (leader_start <= log_->end_offset()) return {};
  LOG(INFO) << "starting over partition=" << ToString(name_)
            << " at=" << leader_start << " from=" << log_->end_offset()
            << " epoch=" << leader_epoch_;
  Lend({LogCut::Kind::kStartOver, leader_start});
  return {};
}

}  // namespace tidemark::replication
