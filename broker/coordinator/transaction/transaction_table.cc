#include "broker/coordinator/transaction/transaction_table.h"

#include <algorithm>
#include <chrono>

namespace tidemark::coordinator {
namespace {

using std::chrono::milliseconds;

// Who waits for one id; more than one client has under way.
constexpr size_t kMaxWaiting = 64;
// Ids forgotten in one turn.
constexpr size_t kExpireAtOnce = 1'000;
constexpr milliseconds kRetry{100};
constexpr size_t kMaxIdBytes = 32'000;  // what a string of the log can hold

const std::string& IdOf(const TransactionTable::Decision& decision) {
  return decision.records.front().transactional_id;
}

// About what it takes in memory.
constexpr size_t kBytesOfAnId = 400;
constexpr size_t kBytesOfAPartition = 96;
size_t Footprint(const std::string& id, const StoredTransaction& value) {
  size_t bytes = kBytesOfAnId + 2 * id.size();
  for (const TopicPartition& partition : value.partitions) {
    bytes += kBytesOfAPartition + partition.topic.size();
  }
  return bytes;
}

// How much more there is to remember once a request is carried out.
size_t GrowthBy(const InitProducerRequest& request, bool known) {
  return known ? 0 : kBytesOfAnId + 2 * request.transactional_id.size();
}
size_t GrowthBy(const AddPartitionsRequest& request, bool) {
  return request.verify_only ? 0
                             : request.partitions.size() * kBytesOfAPartition;
}
size_t GrowthBy(const EndTransactionRequest&, bool) { return 0; }

template <class Request>
TransactionTable::Decision Refuse(Ticket ticket, ErrorCode error) {
  TransactionTable::Decision out;
  typename Request::Answer answer;
  answer.Fail(error);
  out.Reply(ticket, std::move(answer));
  return out;
}

}  // namespace

TransactionTable::Decision TransactionTable::Decide(
    const InitProducerRequest& request, const Context& context) {
  if (request.timeout_ms <= 0 ||
      request.timeout_ms > config_.transaction_max_timeout_ms) {
    return Refuse<InitProducerRequest>(context.ticket,
                                       ErrorCode::kInvalidTransactionTimeout);
  }
  return DecideOrWait(request, context);
}

TransactionTable::Decision TransactionTable::Decide(
    const AddPartitionsRequest& request, const Context& context) {
  return DecideOrWait(request, context);
}

TransactionTable::Decision TransactionTable::Decide(
    const EndTransactionRequest& request, const Context& context) {
  return DecideOrWait(request, context);
}

template <class R>
TransactionTable::Decision TransactionTable::DecideOrWait(
    const R& request, const Context& context) {
  const std::string& id = request.transactional_id;
  if (id.empty() || id.size() > kMaxIdBytes) {
    return Refuse<R>(context.ticket, ErrorCode::kInvalidRequest);
  }
  // An error at which clients come again after a pause.
  if (!share_.Admit(GrowthBy(request, entries_.contains(id)))) {
    return Refuse<R>(context.ticket, ErrorCode::kCoordinatorLoadInProgress);
  }
  Decision out;
  Entry& entry = entries_[id];
  // Nobody overtakes.
  if (!entry.waiting.empty() ||
      !TryDecide(id, entry, request, context.ticket, context.at, &out)) {
    Wait(entry,
         {request, context.ticket,
          context.at.now + milliseconds(config_.patience_ms)},
         &out);
    Schedule(id, entry, context.at);
  }
  DisposeIfUnknown(id);
  return out;
}

Transition<InitProducerResult> TransactionTable::Judge(
    Entry& entry, const InitProducerRequest& request, int64_t wall_ms) {
  return InitProducer(entry.now(), request, &entry.before, wall_ms);
}

Transition<AddPartitionsResult> TransactionTable::Judge(
    Entry& entry, const AddPartitionsRequest& request, int64_t wall_ms) {
  return AddPartitions(entry.now(), request, wall_ms);
}

Transition<EndTransactionResult> TransactionTable::Judge(
    Entry& entry, const EndTransactionRequest& request, int64_t wall_ms) {
  return EndTransaction(entry.now(), request, wall_ms);
}

template <class R>
bool TransactionTable::TryDecide(const std::string& id, Entry& entry,
                                 const R& request, Ticket ticket, Moment at,
                                 Decision* out) {
  if (entry.writing) return false;
  auto transition = Judge(entry, request, at.wall_ms);
  // What is to be written first was refused just now: asked for again at once
  // it would be refused again, and so for ever.
  if (transition.busy && transition.next && entry.retry &&
      *entry.retry > at.now) {
    return false;
  }
  if (!transition.busy) out->Reply(ticket, std::move(transition.answer));
  if (transition.next) Write(id, entry, std::move(transition.next), out);
  return !transition.busy;
}

void TransactionTable::Wait(Entry& entry, Waiting waiting, Decision* out) {
  if (entry.waiting.size() < kMaxWaiting) {
    entry.waiting.push_back(std::move(waiting));
    return;
  }
  std::visit(
      [&](const auto& request) {
        typename std::decay_t<decltype(request)>::Answer answer;
        answer.Fail(ErrorCode::kConcurrentTransactions);
        out->Reply(waiting.ticket, std::move(answer));
      },
      waiting.request);
}

void TransactionTable::ServeWaiting(const std::string& id, Entry& entry,
                                    Moment at, Decision* out) {
  while (!entry.waiting.empty()) {
    const Waiting& first = entry.waiting.front();
    const bool served = std::visit(
        [&](const auto& request) {
          return TryDecide(id, entry, request, first.ticket, at, out);
        },
        first.request);
    if (!served) return;
    entry.waiting.pop_front();
  }
}

void TransactionTable::GiveUpWaiting(Entry& entry, Instant now, Decision* out) {
  while (!entry.waiting.empty() && entry.waiting.front().deadline <= now) {
    const Waiting& first = entry.waiting.front();
    std::visit(
        [&](const auto& request) {
          typename std::decay_t<decltype(request)>::Answer answer;
          answer.Fail(ErrorCode::kConcurrentTransactions);
          out->Reply(first.ticket, std::move(answer));
        },
        first.request);
    entry.waiting.pop_front();
  }
}

void TransactionTable::Write(const std::string& id, Entry& entry,
                             std::optional<StoredTransaction> value,
                             Decision* out) {
  entry.writing = true;
  out->records.push_back({id, std::move(value)});
}

TransactionTable::Decision TransactionTable::Decide(
    const MarkersWrittenRequest& request, const Context& context) {
  Decision out;
  out.Reply(context.ticket, MarkersWrittenResult{});
  const auto it = entries_.find(request.transactional_id);
  if (it == entries_.end()) return out;
  Entry& entry = it->second;
  if (entry.writing || !entry.stored || !IsPrepared(entry.stored->state) ||
      entry.stored->producer_id != request.producer_id ||
      entry.stored->epoch != request.epoch) {
    return out;
  }
  entry.markers_written = true;
  Write(it->first, entry, Complete(*entry.stored, context.at.wall_ms), &out);
  return out;
}

TransactionTable::Decision TransactionTable::Settled(const Decision& decision,
                                                     bool committed,
                                                     Moment at) {
  Decision out;
  if (decision.records.empty()) return out;
  const auto it = entries_.find(IdOf(decision));
  if (it == entries_.end()) return out;
  const std::string id = it->first;
  Entry& entry = it->second;
  entry.writing = false;
  if (committed) {
    entry.markers_written = false;
    entry.retry.reset();
    GoOn(id, entry, at, &out);
  } else {
    entry.retry = at.now + kRetry;
    if (!entry.busy()) ServeWaiting(id, entry, at, &out);
    Schedule(id, entry, at);
  }
  DisposeIfUnknown(id);
  return out;
}

void TransactionTable::GoOn(const std::string& id, Entry& entry, Moment at,
                            Decision* out) {
  if (entry.stored && IsPrepared(entry.stored->state)) {
    const StoredTransaction& now = *entry.stored;
    markers_.push_back({.transactional_id = id,
                        .producer_id = now.producer_id,
                        .epoch = now.epoch,
                        .commit = now.state == TransactionState::kPrepareCommit,
                        .client_version = now.client_version,
                        .partitions = now.partitions});
  }
  if (!entry.busy()) ServeWaiting(id, entry, at, out);
  Schedule(id, entry, at);
}

// When something has to be done about it, should nobody ask.
void TransactionTable::Schedule(const std::string& id, Entry& entry,
                                Moment at) {
  std::optional<Instant> next;
  if (!entry.waiting.empty()) {
    next = entry.waiting.front().deadline;
    if (!entry.busy() && entry.retry) next = std::min(*next, *entry.retry);
  }
  std::optional<Instant> alone;
  if (!entry.writing && entry.stored) {
    const StoredTransaction& now = *entry.stored;
    if (now.state == TransactionState::kOngoing) {
      // A clock that has jumped must not make one wait longer than it may.
      const int64_t age =
          std::clamp<int64_t>(at.wall_ms - now.start_ms, 0, INT32_MAX);
      alone = at.now + milliseconds(std::max<int64_t>(now.timeout_ms - age, 0));
    } else if (entry.markers_written) {
      alone = at.now;
    }
    if (alone && entry.retry) alone = std::max(*alone, *entry.retry);
  }
  if (alone) next = next ? std::min(*next, *alone) : alone;
  if (next == entry.wakeup) return;
  if (entry.wakeup) wakeups_.erase({*entry.wakeup, id});
  if (next) wakeups_.insert({*next, id});
  entry.wakeup = next;
}

void TransactionTable::DisposeIfUnknown(const std::string& id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  const Entry& entry = it->second;
  if (entry.stored || entry.writing || !entry.waiting.empty()) return;
  if (entry.wakeup) wakeups_.erase({*entry.wakeup, id});
  entries_.erase(it);
}

std::optional<Instant> TransactionTable::NextDeadline() const {
  if (wakeups_.empty()) return next_expiry_;
  const Instant next = wakeups_.begin()->first;
  return next_expiry_ ? std::min(next, *next_expiry_) : next;
}

std::vector<TransactionTable::Decision> TransactionTable::OnTimer(Moment at) {
  std::vector<std::string> due;
  for (const auto& [when, id] : wakeups_) {
    if (when > at.now) break;
    due.push_back(id);
  }
  std::vector<Decision> out;
  for (const std::string& id : due) {
    Entry& entry = entries_.at(id);
    Decision& decision = out.emplace_back();
    // Who waits has waited long enough; apart from the write, which may take
    // as long again.
    GiveUpWaiting(entry, at.now, &decision);
    ActAlone(id, entry, at, &out.emplace_back());
    if (!entry.busy()) ServeWaiting(id, entry, at, &out.emplace_back());
    Schedule(id, entry, at);
    DisposeIfUnknown(id);
  }
  if (next_expiry_ && *next_expiry_ <= at.now) Expire(at, &out);
  return out;
}

bool TransactionTable::IsTimedOut(const Entry& entry, Moment at) const {
  const StoredTransaction& now = *entry.stored;
  return now.state == TransactionState::kOngoing &&
         (at.wall_ms < now.start_ms ||
          at.wall_ms - now.start_ms >= now.timeout_ms);
}

void TransactionTable::ActAlone(const std::string& id, Entry& entry, Moment at,
                                Decision* out) {
  if (entry.writing || !entry.stored ||
      (entry.retry && *entry.retry > at.now)) {
    return;
  }
  if (IsTimedOut(entry, at)) {
    // Its producer is fenced, and may not ask for the epoch as its own.
    entry.before = {};
    Write(id, entry, FenceAndAbort(*entry.stored, at.wall_ms), out);
  } else if (entry.markers_written && IsPrepared(entry.stored->state)) {
    Write(id, entry, Complete(*entry.stored, at.wall_ms), out);
  }
}

void TransactionTable::Expire(Moment at, std::vector<Decision>* out) {
  const int64_t before = at.wall_ms - config_.transactional_id_expiration_ms;
  size_t count = 0;
  for (auto& [id, entry] : entries_) {
    if (!entry.stored || entry.busy() ||
        entry.stored->state == TransactionState::kOngoing ||
        entry.stored->last_update_ms > before) {
      continue;
    }
    Write(id, entry, std::nullopt, &out->emplace_back());
    if (++count == kExpireAtOnce) break;
  }
  next_expiry_ =
      at.now + (count == kExpireAtOnce
                    ? milliseconds(100)
                    : milliseconds(config_.expiration_check_interval_ms));
}

void TransactionTable::Clear() {
  entries_.clear();
  wakeups_.clear();
  markers_.clear();
  live_bytes_ = footprint_ = 0;
  share_.Set(0);
  next_expiry_.reset();
}

void TransactionTable::Count(const std::string& id,
                             const StoredTransaction& value, bool added) {
  const size_t encoded = EncodedBytes(id, value);
  const size_t bytes = Footprint(id, value);
  live_bytes_ = added ? live_bytes_ + encoded : live_bytes_ - encoded;
  footprint_ = added ? footprint_ + bytes : footprint_ - bytes;
}

void TransactionTable::Apply(const Record& record, const RecordMeta&) {
  const std::string& id = record.transactional_id;
  if (!record.value && !entries_.contains(id)) return;
  Entry& entry = entries_[id];
  if (entry.stored) Count(id, *entry.stored, false);
  entry.stored = record.value;
  if (entry.stored) Count(id, *entry.stored, true);
  share_.Set(footprint_);
  // One that has waiters or is being written is gone when that is settled.
  DisposeIfUnknown(id);
}

void TransactionTable::Activate(Moment at) {
  next_expiry_ = at.now + milliseconds(config_.expiration_check_interval_ms);
  for (auto& [id, entry] : entries_) {
    Decision none;  // nobody waits
    GoOn(id, entry, at, &none);
  }
}

bool TransactionTable::Snapshot(Cursor& cursor, size_t bytes,
                                std::vector<Record>* out) const {
  size_t taken = 0;
  auto it = cursor ? entries_.upper_bound(*cursor) : entries_.begin();
  for (; it != entries_.end(); ++it) {
    if (taken >= bytes) return true;
    cursor = it->first;
    if (!it->second.stored) continue;
    taken += EncodedBytes(it->first, *it->second.stored);
    out->push_back({it->first, it->second.stored});
  }
  return false;
}

TransactionDescription TransactionTable::Read(
    const DescribeTransactionRequest& request) const {
  TransactionDescription out;
  const auto it = entries_.find(request.transactional_id);
  if (it == entries_.end() || !it->second.stored) {
    out.Fail(ErrorCode::kTransactionalIdNotFound);
    return out;
  }
  out.transaction = *it->second.stored;
  return out;
}

ListTransactionsResult TransactionTable::Read(
    const ListTransactionsQuery& query) const {
  ListTransactionsResult out;
  for (const auto& [id, entry] : entries_) {
    if (!entry.stored) continue;
    const StoredTransaction& now = *entry.stored;
    if (!query.states.empty() && !query.states.contains(now.state)) continue;
    if (!query.producer_ids.empty() &&
        !query.producer_ids.contains(now.producer_id)) {
      continue;
    }
    if (query.older_than_ms >= 0 &&
        query.now_ms - now.start_ms <= query.older_than_ms) {
      continue;
    }
    if (query.matches && !query.matches(id)) continue;
    out.rows.push_back({id, now.producer_id, now.state});
  }
  return out;
}

}  // namespace tidemark::coordinator
