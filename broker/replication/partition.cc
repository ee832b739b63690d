#include "broker/replication/partition.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace tidemark::replication {

Partition::Partition(TopicPartition name, Uuid topic_id,
                     std::unique_ptr<log::Log> log, const PartitionEnv* env,
                     Offset high_watermark, int32_t min_isr)
    : name_(std::move(name)),
      topic_id_(topic_id),
      log_(std::move(log)),
      env_(env),
      configured_min_isr_(min_isr) {
  high_watermark_ = std::max(log_->start_offset(),
                             std::min(high_watermark, log_->end_offset()));
}

size_t Partition::min_isr() const {
  const size_t configured =
      static_cast<size_t>(std::max<int32_t>(configured_min_isr_, 1));
  return replicas_.empty() ? configured
                           : std::min(configured, replicas_.size());
}

PartitionEffects Partition::TakeEffects() {
  return std::exchange(effects_, PartitionEffects());
}

void Partition::ApplyRow(const metadata::PartitionImage& row, Instant now) {
  if (row.partition_epoch < partition_epoch_ ||
      row.leader_epoch < leader_epoch_) {
    return;
  }
  const bool new_epoch = row.leader_epoch != leader_epoch_;
  partition_epoch_ = row.partition_epoch;
  replicas_ = row.replicas;
  if (failed()) {
    leader_ = row.leader;
    leader_epoch_ = row.leader_epoch;
    BecomeFollower();
    return;
  }
  if (row.leader == env_->self) {
    recovering_ = row.recovering;
    if (new_epoch || role_ != Role::kLeader) {
      BecomeLeader(row, now);
    } else {
      isr_.Committed(row.isr, row.partition_epoch);
      std::erase_if(followers_, [this](const auto& entry) {
        return std::find(replicas_.begin(), replicas_.end(), entry.first) ==
               replicas_.end();
      });
      effects_.isr = true;
    }
    if (IsLeader()) {
      if (recovering_ && !isr_.pending()) Propose({env_->self});
      MaybeAdvanceHighWatermark(now);
    }
    return;
  }
  if (new_epoch || role_ != Role::kFollower || leader_ != row.leader) {
    leader_ = row.leader;
    leader_epoch_ = row.leader_epoch;
    BecomeFollower();
  }
}

void Partition::BecomeLeader(const metadata::PartitionImage& row, Instant now) {
  leader_ = row.leader;
  leader_epoch_ = row.leader_epoch;
  effects_.role = true;
  effects_.proposal.reset();
  epoch_start_ = log_->end_offset();
  // B-07: nothing is served in this epoch before the log knows its start.
  if (auto assigned = log_->AssignEpoch(leader_epoch_, epoch_start_);
      !assigned) {
    LOG(ERROR) << "cannot lead partition=" << ToString(name_)
               << " epoch=" << leader_epoch_
               << " error=" << ToString(assigned.error());
    BecomeFollower();
    return;
  }
  role_ = Role::kLeader;
  isr_ = Isr(row.isr, row.leader_epoch, row.partition_epoch);
  no_proposal_before_ = Instant();
  followers_.clear();
  for (const NodeId id : row.isr) {
    if (id != env_->self) followers_.emplace(id, FollowerState(now));
  }
}

void Partition::BecomeFollower() {
  role_ = Role::kFollower;
  isr_ = Isr();
  followers_.clear();
  effects_.role = true;
  effects_.proposal.reset();
}

void Partition::UpdateConfig(const log::LogConfig& config, int32_t min_isr) {
  log_->UpdateConfig(config);
  if (configured_min_isr_ == min_isr) return;
  configured_min_isr_ = min_isr;
  effects_.isr = true;
}

ErrorCode Partition::CheckEpoch(LeaderEpoch current_leader_epoch) const {
  if (current_leader_epoch < 0 || current_leader_epoch == leader_epoch_) {
    return ErrorCode::kNone;
  }
  return current_leader_epoch < leader_epoch_ ? ErrorCode::kFencedLeaderEpoch
                                              : ErrorCode::kUnknownLeaderEpoch;
}

ErrorCode Partition::CheckLeader(LeaderEpoch current_leader_epoch) const {
  if (failed()) return ErrorCode::kKafkaStorageError;
  const ErrorCode epoch = CheckEpoch(current_leader_epoch);
  if (epoch != ErrorCode::kNone) return epoch;
  return IsLeader() ? ErrorCode::kNone : ErrorCode::kNotLeaderOrFollower;
}

void Partition::SetHighWatermark(Offset offset) {
  if (offset == high_watermark_) return;
  high_watermark_ = offset;
  effects_.high_watermark = true;
  while (!uncommitted_.empty() && uncommitted_.front().first <= offset) {
    committed_bytes_ = uncommitted_.front().second;
    uncommitted_.pop_front();
  }
}

FetchAnswer Partition::Read(Offset from, Offset limit, size_t max_bytes,
                            bool at_least_one) {
  FetchAnswer answer;
  answer.high_watermark = high_watermark_;
  answer.log_start_offset = log_->start_offset();
  answer.limit = limit;
  if (from >= limit || (max_bytes == 0 && !at_least_one)) return answer;
  auto records = log_->Read(from, limit, max_bytes, at_least_one);
  if (!records) {
    answer.error = records.error().code;
    LogChanged();
    return answer;
  }
  answer.records = std::move(*records);
  return answer;
}

void Partition::CountAppended(size_t bytes) {
  appended_bytes_ += bytes;
  uncommitted_.emplace_back(log_->end_offset(), appended_bytes_);
  effects_.appended = true;
}

// A log that has failed serves nothing any more; whoever waits must be told.
void Partition::LogChanged() {
  if (failed()) effects_.role = true;
}

void Partition::Flushed(const log::SyncWork& work, Instant now) {
  const Offset before = log_->flushed_offset();
  log_->Flushed(work);
  if (log_->flushed_offset() == before) return;
  effects_.flushed = true;
  if (IsLeader()) MaybeAdvanceHighWatermark(now);
}

void Partition::SyncFailed(const log::SyncWork& work) {
  log_->SyncFailed(work);
  LogChanged();
}

Result<int> Partition::ApplyRetention(int64_t now_ms) {
  auto dropped = log_->ApplyRetention(high_watermark_, now_ms);
  LogChanged();
  return dropped;
}

}  // namespace tidemark::replication
