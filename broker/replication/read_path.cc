#include "broker/replication/read_path.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/record/batch_reader.h"

namespace tidemark::replication {
namespace {

// Partitions of one fetcher on one shard that are read for at the same time:
// enough to keep a disk busy, and others have their turn.
constexpr size_t kMostWarming = 4;

}  // namespace

std::vector<ReadAnswer> ReadPath::Read(ReadCall call) {
  const bool follower = call.reader.IsFollower();
  if (follower) {
    state_.env.contacts[call.reader.replica] = state_.executor.Now();
  }
  ReadList once(follower);
  ReadList* list = &once;
  if (call.list != 0) {
    auto& kept = lists_[call.list];
    if (kept == nullptr) kept = std::make_unique<ReadList>(follower);
    list = kept.get();
  }
  for (FetchedPartition* tag : call.forgotten) list->Forget(tag);
  for (auto& asked : call.asked) list->Ask(asked.tag, std::move(asked.item));
  list->ReadCommitted(call.reader.read_committed);
  list->Park(call.waiter);
  return Visit(*list, call);
}

std::vector<ReadAnswer> ReadPath::Visit(ReadList& list, const ReadCall& call) {
  std::vector<ReadAnswer> answers;
  const size_t visits = list.ready();
  answers.reserve(visits);
  Stats::Add(state_.services.stats->fetch_visits, static_cast<int64_t>(visits));
  size_t bytes = 0;
  for (size_t i = 0; i < visits; ++i) {
    ReadEntry* entry = list.First();
    const size_t left = bytes < call.budget ? call.budget - bytes : 0;
    const size_t most =
        std::min(left, static_cast<size_t>(std::max(entry->item.max_bytes, 0)));
    answers.push_back(
        {entry->tag, Visit(*entry, call.reader, most,
                           bytes == 0 && call.budget > 0, call.list != 0)});
    bytes += answers.back().answer.records.size();
  }
  if (call.waiter != nullptr && bytes > 0) {
    call.waiter->Found(static_cast<int64_t>(bytes));
  }
  return answers;
}

FetchAnswer ReadPath::Visit(ReadEntry& entry, const Reader& reader,
                            size_t max_bytes, bool at_least_one, bool watch) {
  const ReadItem& item = entry.item;
  ReadList& list = *entry.list;
  Slot* slot = state_.Find(item.partition);
  if (slot == nullptr || (!item.topic_id.IsZero() &&
                          slot->partition.topic_id() != item.topic_id)) {
    list.Keep(entry);
    FetchAnswer absent;
    absent.error = state_.WhyAbsent(item.partition, item.topic_id);
    return absent;
  }
  Partition& partition = slot->partition;
  FetchAnswer answer = Fetch(entry, partition, reader, max_bytes, at_least_one);
  // Before it is settled, so that it hears of what the visit itself, or a
  // produce that this completes, brings about.
  const bool calm = answer.error == ErrorCode::kNone &&
                    !answer.diverging.has_value() &&
                    answer.preferred == kNoNode;
  if (calm && watch) slot->readers.Watch(entry, answer.limit, partition);
  const Offset committed = answer.high_watermark;
  effects_.Settle(*slot);
  const bool done =
      calm && watch && !answer.again && item.fetch_offset >= answer.limit &&
      entry.watched == &slot->readers &&
      partition.high_watermark() == committed && entry.limit == answer.limit;
  if (done) {
    list.Rest(entry);
  } else {
    list.Keep(entry);
  }
  return answer;
}

FetchAnswer ReadPath::Fetch(ReadEntry& entry, Partition& partition,
                            const Reader& reader, size_t max_bytes,
                            bool at_least_one) {
  const ReadItem& item = entry.item;
  // It waits for its bytes, or for its turn to have them read.
  const bool waits = entry.cold && (entry.warming != nullptr ||
                                    entry.list->warming() >= kMostWarming);
  const NodeId nearer = NearerReplica(reader, item, partition);
  if (waits || nearer != kNoNode) {
    max_bytes = 0;
    at_least_one = false;
  }
  const bool reads = max_bytes > 0 || at_least_one;
  const bool patient = !entry.tries.Left();
  std::optional<io::NoWait> scope;
  if (cold_.available() && !patient) scope.emplace();
  FetchAnswer answer;
  if (reader.IsFollower()) {
    answer = partition.FetchAsFollower(
        FollowerFetch{reader.replica, reader.broker_epoch,
                      item.current_leader_epoch, item.fetch_offset,
                      item.last_fetched_epoch, item.flushed_offset,
                      item.log_start_offset, item.forgotten},
        max_bytes, at_least_one, state_.executor.Now());
  } else {
    answer = partition.FetchAsConsumer(
        ConsumerFetch{item.current_leader_epoch, item.fetch_offset,
                      item.last_fetched_epoch, reader.read_committed,
                      reader.from_any},
        max_bytes, at_least_one, state_.executor.Now());
    const bool calm = answer.error == ErrorCode::kNone && !answer.diverging;
    if (calm) answer.preferred = nearer;
  }
  if (answer.cold) {
    io::NoWait::Missed missed = std::move(scope->missed());
    scope.reset();
    if (!Missed(entry, std::move(missed))) {
      return Fetch(entry, partition, reader, max_bytes, at_least_one);
    }
  } else if (reads) {
    if (patient) Stats::Add(state_.services.stats->cold_waits, 1);
    entry.cold = false;
    entry.tries = {};
  } else {
    answer.cold = waits;
  }
  return answer;
}

// A consumer that has a replica in its own rack is told of it, and nothing
// else (KIP-392). kNoNode: it reads here.
NodeId ReadPath::NearerReplica(const Reader& reader, const ReadItem& item,
                               const Partition& partition) const {
  if (reader.IsFollower() || reader.rack.empty() || !partition.IsLeader()) {
    return kNoNode;
  }
  const NodeId nearer = partition.PreferredReplica(reader.rack, reader.listener,
                                                   item.fetch_offset);
  return nearer == state_.options.self ? kNoNode : nearer;
}

bool ReadPath::Missed(ReadEntry& entry, io::NoWait::Missed missed) {
  ReadList& list = *entry.list;
  entry.cold = true;
  // Who is read for now wakes the fetch, which comes by here again.
  if (list.warming() >= kMostWarming) return true;
  entry.tries.Missed(missed);
  if (!entry.tries.Left()) {
    entry.cold = false;
    return false;
  }
  cold_.Read(std::move(missed), list.BeginWarming(entry),
             [&entry](const Status& read) {
               // The shard will see itself what is wrong there.
               if (!read) entry.tries.GiveUp();
               entry.cold = false;
               entry.list->EndWarming(entry);
               entry.list->MarkReady(entry);
               if (const auto waiter = entry.list->waiter()) waiter->Wake();
             });
  return true;
}

template <class T>
void ReadPath::Retry(std::function<Result<T>()> attempt,
                     std::function<void(Result<T>)> done,
                     std::weak_ptr<const void> asker, ColdTries tries) {
  std::optional<io::NoWait> scope;
  if (cold_.available() && tries.Left()) scope.emplace();
  Result<T> result = attempt();
  io::NoWait::Missed missed;
  if (scope) missed = std::move(scope->missed());
  scope.reset();
  if (result || result.error().code != ErrorCode::kWouldWait) {
    if (!tries.Left()) Stats::Add(state_.services.stats->cold_waits, 1);
    return done(std::move(result));
  }
  tries.Missed(missed);
  if (!tries.Left()) return Retry(attempt, done, asker, tries);
  cold_.Read(
      std::move(missed), asker,
      [this, alive = state_.alive, attempt = std::move(attempt),
       done = std::move(done), asker, tries](const Status& read) mutable {
        if (!*alive) return;
        if (!read) tries.GiveUp();
        Retry(attempt, done, asker, tries);
      });
}

Result<LogChunk> ReadPath::TryReadLog(const TopicPartition& name,
                                      LeaderEpoch epoch, Offset from,
                                      size_t max_bytes) {
  Slot* slot = state_.Find(name);
  if (slot == nullptr || !slot->partition.IsLeader() ||
      slot->partition.leader_epoch() != epoch) {
    return Fail(ErrorCode::kNotLeaderOrFollower);
  }
  const log::Log& log = slot->partition.log();
  if (log.failed()) return Fail(ErrorCode::kKafkaStorageError);
  LogChunk chunk;
  chunk.start_offset = log.start_offset();
  chunk.end_offset = log.end_offset();
  FetchAnswer answer = slot->partition.ReadOwn(from, max_bytes);
  if (answer.cold) return Fail(ErrorCode::kWouldWait);
  if (answer.error != ErrorCode::kNone) return Fail(answer.error);
  chunk.high_watermark = answer.high_watermark;
  chunk.batches = answer.records.bytes();
  return chunk;
}

void ReadPath::ReadLog(const TopicPartition& name, LeaderEpoch epoch,
                       Offset from, size_t max_bytes,
                       std::function<void(Result<LogChunk>)> done) {
  Retry<LogChunk>(
      [this, name, epoch, from, max_bytes] {
        return TryReadLog(name, epoch, from, max_bytes);
      },
      [this, name, done = std::move(done)](Result<LogChunk> chunk) {
        // What is corrupt here makes the partition look for another leader.
        if (Slot* slot = state_.Find(name)) effects_.Settle(*slot);
        done(std::move(chunk));
      },
      state_.alive);
}

Result<CopyChunk> ReadPath::TryReadCopy(const TopicPartition& name,
                                        const Uuid& topic_id,
                                        const CopyEnd& copy, size_t max_bytes) {
  const Offset from = copy.end;
  Slot* slot = state_.Find(name);
  if (slot == nullptr || slot->partition.topic_id() != topic_id) {
    return Fail(ErrorCode::kUnknownTopicOrPartition);
  }
  Partition& partition = slot->partition;
  if (partition.away()) return Fail(ErrorCode::kNotLeaderOrFollower);
  if (partition.failed()) return Fail(ErrorCode::kKafkaStorageError);
  log::Log& log = partition.log();
  CopyChunk chunk;
  chunk.start_offset = log.start_offset();
  chunk.forgotten = log.forgotten();
  const Offset end = log.end_offset();
  if (from < chunk.start_offset) return chunk;
  // Offset and epoch of a record name all in front of it (B-16).
  chunk.same = from <= end &&
               (from == chunk.start_offset ||
                log.EpochOfOffset(from - 1) == copy.epoch) &&
               !log::MayKeepForgotten(log.forgotten(), from, copy.forgotten);
  chunk.high_watermark = partition.high_watermark();
  chunk.all = from >= end;
  if (!chunk.same || chunk.all) return chunk;
  TM_ASSIGN_OR_RETURN(chunk.batches, log.Read(from, end, max_bytes, true));
  record::BatchIterator batches(chunk.batches.view());
  Offset next = from;
  while (auto batch = batches.Next()) {
    if (!*batch) break;
    next = (*batch)->header.NextOffset();
  }
  chunk.all = next >= end;
  return chunk;
}

void ReadPath::ReadCopy(const TopicPartition& name, const Uuid& topic_id,
                        const CopyEnd& copy, size_t max_bytes,
                        std::function<void(Result<CopyChunk>)> done) {
  Retry<CopyChunk>(
      [this, name, topic_id, copy, max_bytes] {
        return TryReadCopy(name, topic_id, copy, max_bytes);
      },
      std::move(done), state_.alive);
}

void ReadPath::FindOffset(
    const TopicPartition& name, int64_t timestamp,
    LeaderEpoch current_leader_epoch, bool read_committed,
    std::weak_ptr<const void> asker,
    std::function<void(Result<log::TimestampedOffset>)> done) {
  Retry<log::TimestampedOffset>(
      [this, name, timestamp, current_leader_epoch,
       read_committed]() -> Result<log::TimestampedOffset> {
        Slot* slot = state_.Find(name);
        if (slot == nullptr) return Fail(state_.WhyAbsent(name, Uuid()));
        return slot->partition.FindOffset(timestamp, current_leader_epoch,
                                          read_committed);
      },
      std::move(done), std::move(asker));
}

Result<std::vector<ActiveProducer>> ReadPath::DescribeProducers(
    const TopicPartition& name) {
  Slot* slot = state_.Find(name);
  if (slot == nullptr) return Fail(state_.WhyAbsent(name, Uuid()));
  auto producers = slot->partition.DescribeProducers();
  effects_.Settle(*slot);
  return producers;
}

Result<log::EpochEnd> ReadPath::EndOffsetFor(const TopicPartition& name,
                                             LeaderEpoch epoch,
                                             LeaderEpoch current_leader_epoch) {
  Slot* slot = state_.Find(name);
  if (slot == nullptr) return Fail(state_.WhyAbsent(name, Uuid()));
  return slot->partition.EndOffsetFor(epoch, current_leader_epoch);
}

}  // namespace tidemark::replication
