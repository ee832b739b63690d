#include "broker/replication/partition.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/record/batch_header.h"
#include "common/record/batch_reader.h"

namespace tidemark::replication {

namespace {

// Appends above the high watermark that are counted one by one.
constexpr size_t kMaxUncommitted = 256;

// What a consumer gets of one partition is read when it is sent, if it is at
// least this much: less is cheaper to read at once.
constexpr size_t kReadLaterFrom = 64 << 10;

struct Intact {
  size_t bytes = 0;            // of whole batches that are as they were sent
  Offset next = -1;            // after them; -1: there are none
  std::optional<Error> error;  // why the next one is not
};

Intact IntactPrefix(std::string_view batches) {
  Intact intact;
  while (intact.bytes < batches.size()) {
    auto header = record::ParseAndVerifyBatch(batches.substr(intact.bytes));
    if (!header) {
      intact.error = std::move(header).error();
      break;
    }
    intact.bytes += header->FullSize();
    intact.next = header->NextOffset();
  }
  return intact;
}

}  // namespace

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
  if (env_->newest) log_->KeepNewest(env_->newest);
}

const Isr& Partition::isr() const {
  static const Isr kNobody;
  return leading() ? leading()->isr : kNobody;
}

size_t Partition::min_isr() const {
  const size_t configured =
      static_cast<size_t>(std::max<int32_t>(configured_min_isr_, 1));
  return replicas_.empty() ? configured
                           : std::min(configured, replicas_.size());
}

bool Partition::UnderReplicated() const {
  return IsLeader() &&
         std::any_of(replicas_.begin(), replicas_.end(), [this](NodeId id) {
           return !isr().InCommitted(id) &&
                  std::find(adding_.begin(), adding_.end(), id) ==
                      adding_.end();
         });
}

Effects Partition::TakeEffects() { return std::exchange(effects_, Effects()); }

void Partition::ApplyRow(const metadata::PartitionImage& row, Instant now) {
  if (row.partition_epoch < partition_epoch_ ||
      row.leader_epoch < leader_epoch_) {
    return;
  }
  if (away()) {
    auto& newest = away_->row;
    if (!newest || newest->partition_epoch <= row.partition_epoch) newest = row;
    return;
  }
  if (held_up()) {
    auto& newest = held_up_->row;
    if (!newest || newest->partition_epoch <= row.partition_epoch) newest = row;
    return;
  }
  const bool new_epoch = row.leader_epoch != leader_epoch_;
  partition_epoch_ = row.partition_epoch;
  // Whom this broker hears of as followers is told with its leadership.
  if (replicas_ != row.replicas) effects_.Add(Effect::kAnnounce);
  replicas_ = row.replicas;
  adding_ = row.adding;
  if (failed()) {
    leader_ = row.leader;
    leader_epoch_ = row.leader_epoch;
    BecomeFollower();
    return;
  }
  if (row.leader == env_->self) {
    if (new_epoch || !IsLeader()) {
      BecomeLeader(row, now);
    } else {
      lead().recovering = row.recovering;
      lead().isr.Committed(row.isr, row.partition_epoch, !row.elr.empty());
      std::erase_if(lead().followers, [this](const auto& entry) {
        return std::find(replicas_.begin(), replicas_.end(), entry.first) ==
               replicas_.end();
      });
      effects_.Add(Effect::kCount);
      // One that left the ISR may come back with its next fetch.
      effects_.Add(Effect::kLookAgain);
    }
    if (IsLeader()) {
      if (lead().recovering && !lead().isr.pending()) Propose({env_->self});
      MaybeAdvanceHighWatermark(now);
    }
    return;
  }
  if (new_epoch || role() != Role::kFollower || leader_ != row.leader) {
    leader_ = row.leader;
    leader_epoch_ = row.leader_epoch;
    BecomeFollower();
  }
  DropCorrupt(row);
}

void Partition::BecomeLeader(const metadata::PartitionImage& row, Instant now) {
  leader_ = row.leader;
  leader_epoch_ = row.leader_epoch;
  Leading leading;
  leading.isr =
      Isr(row.isr, row.leader_epoch, row.partition_epoch, !row.elr.empty());
  leading.epoch_start = log_->end_offset();
  leading.since = now;
  leading.recovering = row.recovering;
  for (const NodeId id : row.isr) {
    if (id != env_->self) leading.followers.emplace(id, FollowerState(now));
  }
  // B-07: nothing is served in this epoch before the log knows its start.
  if (auto assigned = log_->AssignEpoch(leader_epoch_, leading.epoch_start);
      !assigned) {
    LOG(ERROR) << "cannot lead partition=" << ToString(name_)
               << " epoch=" << leader_epoch_
               << " error=" << ToString(assigned.error());
    BecomeFollower();
    return;
  }
  role_ = std::move(leading);
  RoleChanged();
}

void Partition::BecomeFollower() {
  role_ = Following();
  RoleChanged();
}

// Another epoch, role or leader, or the log has failed.
void Partition::RoleChanged() {
  failure_noticed_ = failed();
  effects_.DropProposal();
  effects_.Add(FollowerPosition() ? Effect::kFollow : Effect::kUnfollow);
  effects_.Add(Effect::kAnnounce);
  effects_.Add(Effect::kCount);
  effects_.Add(Effect::kWakeReaders);
  effects_.Add(Effect::kAbandon);
}

void Partition::UpdateConfig(const log::LogConfig& config, int32_t min_isr) {
  if (away()) {
    away_->config = config;
  } else {
    log_->UpdateConfig(config);
    if (held_up()) held_up_->config = config;
  }
  if (configured_min_isr_ == min_isr) return;
  configured_min_isr_ = min_isr;
  effects_.Add(Effect::kCount);
}

void Partition::SetThrottled(bool as_leader, bool as_follower) {
  throttled_as_leader_ = as_leader;
  throttled_as_follower_ = as_follower;
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
  log_->Committed(offset);
  effects_.Add(Effect::kShowCommitted);
  effects_.Add(Effect::kComplete);
  while (!uncommitted_.empty() && uncommitted_.front().first <= offset) {
    committed_bytes_ = uncommitted_.front().second;
    uncommitted_.pop_front();
  }
}

FetchAnswer Partition::NewAnswer(Offset limit) const {
  FetchAnswer answer;
  answer.high_watermark = high_watermark_;
  answer.last_stable_offset = last_stable_offset();
  answer.log_start_offset = log_->start_offset();
  answer.limit = limit;
  return answer;
}

bool Partition::ReadNewest(Offset from, size_t max_bytes, bool at_least_one,
                           FetchAnswer* answer) const {
  if (corrupt_from_) return false;
  auto records = log_->ReadNewest(from, answer->limit, max_bytes, at_least_one);
  if (!records) return false;
  Stats::Add(env_->stats->memory_reads, 1);
  answer->records = std::move(*records);
  return true;
}

FetchAnswer Partition::Read(Offset from, Offset limit, size_t max_bytes,
                            bool at_least_one) {
  FetchAnswer answer = NewAnswer(limit);
  if (from >= limit || (max_bytes == 0 && !at_least_one)) return answer;
  if (ReadNewest(from, max_bytes, at_least_one, &answer)) return answer;
  auto records = log_->Read(from, limit, max_bytes, at_least_one);
  if (!records) {
    ReadFailed(from, records.error(), &answer);
    return answer;
  }
  const Intact intact = IntactPrefix(records->view());
  if (intact.error) {
    FoundCorrupt(std::max(from, intact.next), *intact.error);
    if (intact.bytes == 0) answer.error = ErrorCode::kCorruptMessage;
  }
  answer.records = records->Slice(0, intact.bytes);
  answer.next = intact.next;
  return answer;
}

FetchAnswer Partition::ReadLater(Offset from, Offset limit, size_t max_bytes,
                                 bool at_least_one) {
  // What is read here can still be answered with an error.
  if (max_bytes < kReadLaterFrom || corrupt_from_ || !env_->found_corrupt) {
    return Read(from, limit, max_bytes, at_least_one);
  }
  FetchAnswer answer = NewAnswer(limit);
  if (ReadNewest(from, max_bytes, at_least_one, &answer)) return answer;
  auto slice = log_->Find(from, limit, max_bytes, kReadLaterFrom);
  if (slice && !*slice) return Read(from, limit, max_bytes, at_least_one);
  if (!slice) {
    ReadFailed(from, slice.error(), &answer);
    return answer;
  }
  answer.next = (*slice)->next;
  answer.records = Payload(std::make_shared<log::SliceReader>(
      std::move(**slice),
      [name = name_, which = which_log(), found = env_->found_corrupt](
          Offset at, const Error& error) { found(name, which, at, error); }));
  return answer;
}

void Partition::AddAborted(Offset from, FetchAnswer* answer) {
  if (answer->records.size() == 0 || !log_->HasAborted()) return;
  Offset below = answer->next;
  if (below < 0) {
    record::BatchIterator batches(answer->records.bytes().view());
    while (auto batch = batches.Next()) {
      if (!*batch) break;
      below = (*batch)->header.NextOffset();
    }
  }
  auto aborted = log_->AbortedIn(from, below);
  if (aborted) {
    answer->aborted = std::move(*aborted);
    return;
  }
  // Without it nobody may have the records.
  answer->records = Payload();
  if (aborted.error().code == ErrorCode::kWouldWait) {
    answer->cold = true;
    return;
  }
  NoticeFailure();
  answer->error = ErrorCode::kKafkaStorageError;
}

void Partition::ReadFailed(Offset from, const Error& error,
                           FetchAnswer* answer) {
  if (error.code == ErrorCode::kWouldWait) {
    answer->cold = true;
    return;
  }
  NoticeFailure();
  answer->error = error.code;
  // Bytes that are no batch any more; clients know one code for that.
  if (answer->error == ErrorCode::kUnsupportedForMessageFormat) {
    answer->error = ErrorCode::kCorruptMessage;
  }
  if (answer->error == ErrorCode::kCorruptMessage) FoundCorrupt(from, error);
}

void Partition::FoundCorrupt(Offset from, const Error& error) {
  Stats::Add(env_->stats->corrupt_reads, 1);
  if (!corrupt_from_ || from < *corrupt_from_) {
    corrupt_from_ = from;
    LOG(ERROR) << "corrupt on disk partition=" << ToString(name_)
               << " offset=" << from << " error=" << ToString(error);
  }
  if (!away() && !held_up()) HandleCorrupt();
}

void Partition::HandleCorrupt() {
  if (IsLeader()) return MaybeResign();
  const auto* row = env_->image->FindPartition(name_.topic, name_.partition);
  if (row != nullptr) DropCorrupt(*row);
  // Others lead and have it; it must only not count any more.
  if (corrupt_from_ && !away()) effects_.Add(Effect::kTellDamage);
}

// The new leader's log has what this one has lost. Nothing is cut while this
// replica is counted in sync, or may be elected for what it has.
void Partition::DropCorrupt(const metadata::PartitionImage& row) {
  const auto counted = [&](const std::vector<NodeId>& ids) {
    return std::find(ids.begin(), ids.end(), env_->self) != ids.end();
  };
  if (!corrupt_from_ || counted(row.isr) || counted(row.elr)) return;
  const Offset from = std::max(*corrupt_from_, log_->start_offset());
  if (from >= log_->end_offset()) return corrupt_from_.reset();
  LOG(WARNING) << "fetching again what is corrupt partition=" << ToString(name_)
               << " from=" << from << " end=" << log_->end_offset()
               << " epoch=" << leader_epoch_;
  Lend({LogCut::Kind::kDamaged, from});
}

void Partition::CountAppended(Offset end_before, size_t bytes) {
  appended_bytes_ += bytes;
  if (uncommitted_.size() < kMaxUncommitted) {
    uncommitted_.emplace_back(log_->end_offset(), appended_bytes_);
  } else {
    uncommitted_.back() = {log_->end_offset(), appended_bytes_};
  }
  effects_.Add(Effect::kShowAppended);
  if (!IsLeader()) return;
  for (auto& [id, state] : lead().followers) {
    if (const auto contact = env_->contacts.find(id);
        contact != env_->contacts.end()) {
      state.LeaderAppended(end_before, contact->second);
    }
  }
}

// A log that has failed serves nothing any more; whoever waits must be told.
void Partition::NoticeFailure() {
  if (failed() && !failure_noticed_) RoleChanged();
}

bool Partition::NeedsSync() const {
  return !away() && !failed() && log_->NeedsSync();
}

std::optional<log::SyncWork> Partition::TakeSync() {
  return away() || failed() ? std::nullopt : log_->TakeSync();
}

void Partition::Flushed(const log::SyncWork& work, Instant now) {
  if (away()) {
    away_->syncs.emplace_back(work, true);
    return;
  }
  const Offset before = log_->flushed_offset();
  log_->Flushed(work);
  if (log_->flushed_offset() == before) return;
  FlushedMoved(now);
}

void Partition::SyncFailed(const log::SyncWork& work) {
  if (away()) {
    away_->syncs.emplace_back(work, false);
    return;
  }
  log_->SyncFailed(work);
  NoticeFailure();
}

void Partition::FlushedMoved(Instant now) {
  if (!IsLeader()) return effects_.Add(Effect::kReport);
  effects_.Add(Effect::kComplete);
  MaybeAdvanceHighWatermark(now);
}

Status Partition::HoldUp() {
  if (away()) return Fail(ErrorCode::kNotLeaderOrFollower, "it is being cut");
  if (failed()) return Fail(ErrorCode::kKafkaStorageError, "its log is broken");
  if (corrupt_from_) return Fail(ErrorCode::kCorruptMessage, "it is damaged");
  held_up_.emplace();
  return {};
}

void Partition::LetGo(Instant now) {
  const HeldUp held = *std::exchange(held_up_, std::nullopt);
  if (held.row) ApplyRow(*held.row, now);
  if (corrupt_from_ && !away()) HandleCorrupt();
  NoticeFailure();
}

std::unique_ptr<log::Log> Partition::Exchange(std::unique_ptr<log::Log> log,
                                              Instant now) {
  CHECK(held_up() && log->end_offset() == log_->end_offset() &&
        log->flushed_offset() == log->end_offset());
  log_.swap(log);
  ++exchanges_;
  if (env_->newest) log_->KeepNewest(env_->newest);
  if (held_up_->config) log_->UpdateConfig(*held_up_->config);
  log_->Committed(high_watermark_);
  kept_start_ = log_->start_offset();
  // What was damaged on the other disk was found when it was copied.
  corrupt_from_.reset();
  failure_noticed_ = false;
  LetGo(now);
  effects_.Add(IsLeader() ? Effect::kComplete : Effect::kAskAnew);
  if (!failed()) FlushedMoved(now);
  return log;
}

Result<int> Partition::ApplyRetention(int64_t now_ms) {
  if (away() || held_up()) return 0;
  const Offset start_before = log_->start_offset();
  auto dropped = log_->ApplyRetention(high_watermark_, now_ms);
  NoticeFailure();
  if (log_->start_offset() != start_before) effects_.Add(Effect::kLookAgain);
  return dropped;
}

}  // namespace tidemark::replication
