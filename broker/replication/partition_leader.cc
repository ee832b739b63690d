// The leader's part of Partition.

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "broker/replication/high_watermark.h"
#include "broker/replication/partition.h"
#include "broker/replication/truncation.h"
#include "common/record/batch_header.h"

namespace tidemark::replication {

namespace {

// After a refusal the controller's view has to reach this broker first.
// A consumer fetches more often than that.
constexpr Duration kReadersStay = std::chrono::seconds(30);
constexpr Duration kPauseAfterRefusal = std::chrono::milliseconds(100);

}  // namespace

Result<log::AppendInfo> Partition::AppendAsLeader(
    std::string_view batch, int16_t acks, AppendOrigin origin, Instant now,
    int64_t now_ms, const log::TransactionContext& context) {
  const ErrorCode refused = CheckLeader(-1);
  if (refused != ErrorCode::kNone) return Fail(refused);
  if (Isolated(now)) {
    return Fail(ErrorCode::kNotLeaderOrFollower,
                "neither the controllers nor a follower has been heard of for"
                " broker.session.timeout.ms");
  }
  if (held_up()) {
    return Fail(ErrorCode::kNotEnoughReplicas,
                "its log is about to be in another directory");
  }
  if (acks == -1 && !MayCommit()) {
    return Fail(ErrorCode::kNotEnoughReplicas,
                "in-sync replicas " + std::to_string(isr().committed().size()) +
                    " are fewer than min.insync.replicas");
  }
  const Offset end_before = log_->end_offset();
  auto info =
      origin == AppendOrigin::kClient
          ? log_->AppendAsLeader(batch, leader_epoch_, now_ms, context)
          : log_->AppendFromCoordinator(batch, leader_epoch_, now_ms, context);
  if (!info) {
    NoticeFailure();
    return info;
  }
  if (info->duplicate || info->verify != 0) return info;
  CountAppended(end_before, batch.size());
  Stats::Add(env_->stats->bytes_in, static_cast<int64_t>(batch.size()));
  Stats::Add(env_->stats->batches_in, 1);
  Stats::Add(env_->stats->messages_in,
             info->last_offset - info->first_offset + 1);
  // In page-cache mode appended is flushed.
  if (log_->flushed_offset() == log_->end_offset()) FlushedMoved(now);
  return info;
}

Result<uint64_t> Partition::BeginVerification(ProducerId producer,
                                              ProducerEpoch epoch,
                                              int64_t now_ms) {
  const ErrorCode refused = CheckLeader(-1);
  if (refused != ErrorCode::kNone) return Fail(refused);
  auto guard = log_->BeginVerification(producer, epoch, now_ms);
  if (!guard) NoticeFailure();
  return guard;
}

bool Partition::MayCommit() const {
  return isr().committed().size() >= min_isr() && !isr().others_eligible();
}

ErrorCode Partition::CheckAfterCommit() const {
  return isr().maximal().size() < min_isr()
             ? ErrorCode::kNotEnoughReplicasAfterAppend
             : ErrorCode::kNone;
}

FetchAnswer Partition::FetchAsFollower(const FollowerFetch& fetch,
                                       size_t max_bytes, bool at_least_one,
                                       Instant now) {
  FetchAnswer answer;
  answer.error = CheckLeader(fetch.current_leader_epoch);
  if (answer.error != ErrorCode::kNone) return answer;
  if (std::find(replicas_.begin(), replicas_.end(), fetch.replica) ==
          replicas_.end() ||
      fetch.replica == env_->self) {
    // B-10: one of the two knows an older assignment.
    answer.error = ErrorCode::kUnknownLeaderEpoch;
    return answer;
  }
  FollowerState& state = lead().followers[fetch.replica];
  const metadata::BrokerImage* broker = env_->image->FindBroker(fetch.replica);
  if (fetch.broker_epoch < state.broker_epoch() ||
      (broker != nullptr && fetch.broker_epoch < broker->epoch)) {
    // B-19: an earlier life of that broker. What it claims may be lost.
    answer.error = ErrorCode::kNotLeaderOrFollower;
    return answer;
  }
  const FetchCheck check = CheckFetchPosition(
      fetch.fetch_offset, fetch.last_fetched_epoch,
      fetch.last_fetched_epoch < 0
          ? log::EpochEnd()
          : log_->EndOffsetFor(fetch.last_fetched_epoch),
      log_->latest_epoch(), log_->start_offset(), log_->end_offset());
  if (check.position != FetchPosition::kValid) {
    answer = NewAnswer(log_->end_offset());
    if (check.position == FetchPosition::kDiverging) {
      answer.diverging = check.diverging;
    } else {
      answer.error = ErrorCode::kOffsetOutOfRange;
    }
    return answer;
  }
  // One that is in sync has all that counts, whatever else this log has lost.
  if (fetch.forgotten >= 0 &&
      log::MayKeepForgotten(log_->forgotten(), fetch.fetch_offset,
                            fetch.forgotten) &&
      !lead().isr.InMaximal(fetch.replica)) {
    answer = NewAnswer(log_->end_offset());
    answer.error = ErrorCode::kOffsetOutOfRange;
    answer.begin_anew = log_->forgotten();
    return answer;
  }
  Throttle* const throttle =
      throttled_as_leader_ && !lead().isr.InCommitted(fetch.replica)
          ? env_->to_followers
          : nullptr;
  if (throttle != nullptr && throttle->Wait(now) > Duration::zero()) {
    max_bytes = 0;
  }
  answer = Read(fetch.fetch_offset, log_->end_offset(), max_bytes,
                at_least_one && max_bytes > 0);
  if (answer.error != ErrorCode::kNone) return answer;
  if (throttle != nullptr) throttle->Moved(answer.records.size(), now);
  Stats::Add(env_->stats->replication_bytes_out,
             static_cast<int64_t>(answer.records.size()));
  state.Fetched(fetch.fetch_offset, fetch.flushed_offset, fetch.broker_epoch,
                log_->end_offset(), now);
  NoteStart(state, fetch.log_start_offset);
  MaybeExpandIsr(fetch.replica, state, now);
  MaybeAdvanceHighWatermark(now);
  answer.high_watermark = high_watermark_;
  answer.last_stable_offset = last_stable_offset();
  answer.keep_start = keep_wanted_;
  // Nothing else may bring it into the ISR.
  answer.again = !lead().isr.InCommitted(fetch.replica);
  return answer;
}

bool Partition::MayForget(Instant now) const {
  if (role() == Role::kFollower) {
    const auto* row = env_->image->FindPartition(name_.topic, name_.partition);
    return row == nullptr || std::ranges::count(row->isr, env_->self) > 0;
  }
  if (!IsLeader()) return true;
  return std::ranges::none_of(lead().followers, [&](const auto& follower) {
    const auto contact = env_->contacts.find(follower.first);
    return !lead().isr.InCommitted(follower.first) &&
           contact != env_->contacts.end() &&
           now - contact->second <= env_->lag_max;
  });
}

FetchAnswer Partition::FetchAsConsumer(const ConsumerFetch& fetch,
                                       size_t max_bytes, bool at_least_one,
                                       Instant now) {
  FetchAnswer answer;
  answer.error = CheckReadable(fetch);
  if (answer.error != ErrorCode::kNone) return answer;
  if (IsLeader() && Isolated(now)) {
    answer.error = ErrorCode::kNotLeaderOrFollower;
    return answer;
  }
  NoteReader(now);
  const FetchCheck check = CheckFetchPosition(
      fetch.fetch_offset, fetch.last_fetched_epoch,
      fetch.last_fetched_epoch < 0
          ? log::EpochEnd()
          : log_->EndOffsetFor(fetch.last_fetched_epoch),
      log_->latest_epoch(), log_->start_offset(), log_->end_offset());
  if (check.position != FetchPosition::kValid) {
    answer = NewAnswer(high_watermark_);
    if (check.position == FetchPosition::kDiverging) {
      answer.diverging = check.diverging;
    } else {
      answer.error = ErrorCode::kOffsetOutOfRange;
    }
    return answer;
  }
  // An offset between the high watermark and the end is one that an earlier
  // leader has shown: empty, not out of range.
  answer =
      ReadLater(fetch.fetch_offset,
                fetch.read_committed ? last_stable_offset() : high_watermark_,
                max_bytes, at_least_one);
  if (fetch.read_committed) AddAborted(fetch.fetch_offset, &answer);
  Stats::Add(env_->stats->bytes_out,
             static_cast<int64_t>(answer.records.size()));
  return answer;
}

// What is committed is the same everywhere, so a follower may show as much of
// it as it knows of.
ErrorCode Partition::CheckReadable(const ConsumerFetch& fetch) const {
  if (!fetch.from_any || role() != Role::kFollower) {
    return CheckLeader(fetch.current_leader_epoch);
  }
  // Its log is being cut.
  if (away()) return ErrorCode::kNotLeaderOrFollower;
  if (failed()) return ErrorCode::kKafkaStorageError;
  return CheckEpoch(fetch.current_leader_epoch);
}

void Partition::NoteReader(Instant now) {
  Following* const following = std::get_if<Following>(&role_);
  if (following == nullptr) return;
  if (!following->read_at) effects_.Add(Effect::kAskAnew);
  following->read_at = now;
}

NodeId Partition::PreferredReplica(const std::string& rack,
                                   const std::string& listener,
                                   Offset offset) const {
  NodeId preferred = env_->self;
  Offset furthest = -1;
  for (const NodeId id : lead().isr.committed()) {
    const auto* broker = env_->image->FindBroker(id);
    if (broker == nullptr || broker->fenced || broker->rack != rack ||
        broker->FindEndpoint(listener) == nullptr) {
      continue;
    }
    if (id == env_->self) return id;
    const auto it = lead().followers.find(id);
    if (it == lead().followers.end()) continue;
    const FollowerState& state = it->second;
    // Within what it has: it would send the consumer back.
    if (state.end_offset() < offset || state.start_offset() > offset) continue;
    if (state.end_offset() > furthest) {
      furthest = state.end_offset();
      preferred = id;
    }
  }
  return preferred;
}

bool Partition::Isolated(Instant now) const {
  if (!env_->controllers_silent) return false;
  bool others = false;
  for (const NodeId id : lead().isr.committed()) {
    if (id == env_->self) continue;
    others = true;
    const auto contact = env_->contacts.find(id);
    if (contact != env_->contacts.end() &&
        now - contact->second < env_->session_timeout) {
      return false;
    }
  }
  return others;
}

// C-09: a replica whose directory its broker cannot use any more, or has not
// got, may fetch as it likes; the controller would refuse it, and the high
// watermark must not wait for it.
bool Partition::HasUsableDirectory(const metadata::BrokerImage& broker) const {
  const metadata::PartitionImage* row =
      env_->image->FindPartition(name_.topic, name_.partition);
  const Uuid directory = row == nullptr ? Uuid{} : row->DirectoryOf(broker.id);
  return directory.IsZero() ||
         (broker.HasDirectory(directory) && !broker.IsOffline(directory));
}

ExpandCandidate Partition::CandidateOf(NodeId id,
                                       const FollowerState& state) const {
  const metadata::BrokerImage* broker = env_->image->FindBroker(id);
  if (broker != nullptr && !HasUsableDirectory(*broker)) broker = nullptr;
  return ExpandCandidate{state.flushed_offset(), state.broker_epoch(), broker};
}

void Partition::MaybeAdvanceHighWatermark(Instant now) {
  HighWatermarkRule rule(log_->flushed_offset(), MayCommit());
  for (const NodeId id : lead().isr.maximal()) {
    if (id == env_->self) continue;
    const auto it = lead().followers.find(id);
    rule.Count(it == lead().followers.end() ? -1 : it->second.flushed_offset());
  }
  for (const auto& [id, state] : lead().followers) {
    if (lead().isr.InMaximal(id) || state.flushed_offset() < 0) continue;
    if (state.CaughtUp(log_->end_offset(), now, env_->lag_max) &&
        IsIsrEligible(CandidateOf(id, state))) {
      rule.Count(state.flushed_offset());
    }
  }
  const auto next = rule.Result();
  if (next && *next > high_watermark_) SetHighWatermark(*next);
}

// Only a follower that is fetching right now may join: one that is silent
// would hold the high watermark back.
void Partition::MaybeExpandIsr(NodeId fetcher, const FollowerState& state,
                               Instant now) {
  if (lead().isr.pending() || lead().recovering ||
      now < lead().no_proposal_before || lead().isr.InCommitted(fetcher) ||
      !MayJoinIsr(CandidateOf(fetcher, state), high_watermark_,
                  lead().epoch_start)) {
    return;
  }
  std::vector<NodeId> isr = lead().isr.committed();
  isr.push_back(fetcher);
  Stats::Add(env_->stats->isr_expands, 1);
  Propose(std::move(isr));
}

void Partition::BrokersChanged(Instant now) {
  if (!IsLeader()) return;
  MaybeAdvanceHighWatermark(now);
  effects_.Add(Effect::kComplete);  // what waited for who is dead
}

// An ISR without the leader in it asks for another leader out of it. Without
// another member nobody has anything better.
void Partition::MaybeResign() {
  if (!IsLeader() || lead().isr.pending() || lead().isr.committed().size() < 2)
    return;
  std::vector<NodeId> others = lead().isr.committed();
  std::erase(others, env_->self);
  LOG(WARNING) << "giving up leadership partition=" << ToString(name_)
               << " epoch=" << leader_epoch_;
  Propose(std::move(others));
}

bool Partition::NeedsTick() const {
  if (failed()) return false;
  if (!IsLeader()) {
    const Following* const following = std::get_if<Following>(&role_);
    return following != nullptr && following->read_at.has_value();
  }
  if (lead().recovering || corrupt_from_ ||
      high_watermark_ < log_->end_offset())
    return true;
  return std::any_of(lead().isr.committed().begin(),
                     lead().isr.committed().end(), [this](NodeId id) {
                       if (id == env_->self) return false;
                       const auto it = lead().followers.find(id);
                       return it == lead().followers.end() ||
                              it->second.flushed_offset() < log_->end_offset();
                     });
}

void Partition::Tick(Instant now) {
  if (failed()) return;
  if (Following* const following = std::get_if<Following>(&role_)) {
    if (following->read_at && now - *following->read_at >= kReadersStay) {
      following->read_at.reset();
      effects_.Add(Effect::kAskAnew);
    }
    return;
  }
  if (!IsLeader()) return;
  if (corrupt_from_ && now >= lead().no_proposal_before) MaybeResign();
  if (lead().recovering && !lead().isr.pending() &&
      now >= lead().no_proposal_before) {
    Propose({env_->self});  // B-33
  }
  if (!lead().isr.pending() && !lead().recovering &&
      now >= lead().no_proposal_before) {
    std::vector<NodeId> isr;
    for (const NodeId id : lead().isr.committed()) {
      const auto it = lead().followers.find(id);
      const bool stays =
          id == env_->self ||
          (it != lead().followers.end() &&
           it->second.CaughtUp(log_->end_offset(), now, env_->lag_max));
      if (stays) isr.push_back(id);
    }
    if (isr.size() < lead().isr.committed().size()) {
      LOG(INFO) << "shrinking isr partition=" << ToString(name_)
                << " from=" << lead().isr.committed().size()
                << " to=" << isr.size() << " high_watermark=" << high_watermark_
                << " end=" << log_->end_offset();
      Stats::Add(env_->stats->isr_shrinks, 1);
      Propose(std::move(isr));
    }
  }
  // A replica outside of the ISR may have stopped being caught up.
  MaybeAdvanceHighWatermark(now);
}

void Partition::Propose(std::vector<NodeId> isr) {
  effects_.Propose(MakeProposal(isr));
  effects_.Add(Effect::kCount);
  lead().isr.Propose(std::move(isr));
}

IsrProposal Partition::MakeProposal(const std::vector<NodeId>& isr) const {
  IsrProposal proposal;
  proposal.topic_id = topic_id_;
  proposal.partition = name_.partition;
  proposal.leader_epoch = leader_epoch_;
  proposal.partition_epoch = lead().isr.partition_epoch();
  for (const NodeId id : isr) {
    IsrProposal::Member member{id, -1};
    if (const auto it = lead().followers.find(id);
        it != lead().followers.end()) {
      member.epoch = it->second.broker_epoch();
    }
    if (const auto* broker = env_->image->FindBroker(id);
        member.epoch < 0 && broker != nullptr) {
      member.epoch = broker->epoch;
    }
    proposal.isr.push_back(member);
  }
  return proposal;
}

void Partition::AlterPartitionAnswered(const AlterPartitionResult& result,
                                       PartitionEpoch asked_with, Instant now) {
  if (!IsLeader()) return;
  switch (lead().isr.Answered(result, asked_with)) {
    case AlterOutcome::kApplied:
      partition_epoch_ =
          std::max(partition_epoch_, lead().isr.partition_epoch());
      lead().recovering = result.recovering;
      break;
    case AlterOutcome::kReverted:
      lead().no_proposal_before = now + kPauseAfterRefusal;
      LOG(INFO) << "isr change refused partition=" << ToString(name_)
                << " error=" << ErrorName(result.error);
      break;
    case AlterOutcome::kResend:
      effects_.Propose(MakeProposal(*lead().isr.proposed()));
      return;
    case AlterOutcome::kAwaiting:
    case AlterOutcome::kIgnored:
      return;
  }
  effects_.Add(Effect::kCount);
  effects_.Add(Effect::kLookAgain);
  MaybeAdvanceHighWatermark(now);
}

FetchAnswer Partition::ReadOwn(Offset from, size_t max_bytes) {
  return Read(std::max(from, log_->start_offset()), log_->end_offset(),
              max_bytes, true);
}

Status Partition::DeleteTo(Offset offset) {
  TM_RETURN_IF_ERROR(TrimTo(offset));
  keep_wanted_ = std::max(keep_wanted_, offset);
  if (WantsStartKept()) effects_.Add(Effect::kKeepStart);
  return {};
}

Status Partition::TrimTo(Offset offset) {
  if (!IsLeader() || held_up()) return Fail(ErrorCode::kNotLeaderOrFollower);
  if (offset > high_watermark_) {
    return Fail(ErrorCode::kOffsetOutOfRange,
                "offset " + std::to_string(offset) +
                    " is beyond the high watermark " +
                    std::to_string(high_watermark_));
  }
  if (offset <= log_->start_offset()) return {};
  const Status trimmed = log_->AdvanceStartOffset(offset);
  NoticeFailure();
  effects_.Add(Effect::kLookAgain);
  return trimmed;
}

// Deletions wait for it.
void Partition::NoteStart(FollowerState& state, Offset start) {
  const Offset before = state.start_offset();
  state.StartsAt(start);
  if (state.start_offset() != before) effects_.Add(Effect::kComplete);
}

Offset Partition::LowWatermark() const {
  Offset low = kept_start_;
  for (const NodeId id : replicas_) {
    if (id == env_->self) continue;
    const auto* broker = env_->image->FindBroker(id);
    if (broker == nullptr || broker->fenced) continue;
    const auto it = lead().followers.find(id);
    low = std::min(
        low, it == lead().followers.end() ? -1 : it->second.start_offset());
  }
  return low;
}

Result<log::TimestampedOffset> Partition::FindOffset(
    int64_t timestamp, LeaderEpoch current_leader_epoch, bool read_committed) {
  const ErrorCode refused = CheckLeader(current_leader_epoch);
  if (refused != ErrorCode::kNone) return Fail(refused);
  constexpr int64_t kLatest = -1, kEarliest = -2, kMaximum = -3;
  if (timestamp == kEarliest) {
    const Offset start = log_->start_offset();
    return log::TimestampedOffset{-1, start,
                                  log_->EpochOfOffset(start).value_or(-1)};
  }
  // B-06: an earlier leader may have shown more.
  if (high_watermark_ < lead().epoch_start) {
    return Fail(ErrorCode::kOffsetNotAvailable);
  }
  const Offset limit = read_committed ? last_stable_offset() : high_watermark_;
  if (timestamp == kLatest) {
    return log::TimestampedOffset{-1, limit, leader_epoch_};
  }
  if (timestamp < 0 && timestamp != kMaximum) {
    return Fail(ErrorCode::kUnsupportedVersion);
  }
  TM_ASSIGN_OR_RETURN(auto found, timestamp == kMaximum
                                      ? log_->FindMaxTimestamp()
                                      : log_->FindByTimestamp(timestamp));
  if (!found || found->offset >= limit) {
    return log::TimestampedOffset{};
  }
  return *found;
}

Result<std::vector<log::ActiveProducer>> Partition::DescribeProducers() {
  const ErrorCode refused = CheckLeader(-1);
  if (refused != ErrorCode::kNone) return Fail(refused);
  auto producers = log_->ActiveProducers();
  NoticeFailure();
  return producers;
}

Result<log::EpochEnd> Partition::EndOffsetFor(
    LeaderEpoch epoch, LeaderEpoch current_leader_epoch) const {
  const ErrorCode refused = CheckLeader(current_leader_epoch);
  if (refused != ErrorCode::kNone) return Fail(refused);
  if (epoch < 0 || epoch > log_->latest_epoch()) return log::EpochEnd{};
  const log::EpochEnd end = log_->EndOffsetFor(epoch);
  if (end.epoch < 0) return log::EpochEnd{epoch, log_->start_offset()};
  return end;
}

}  // namespace tidemark::replication
