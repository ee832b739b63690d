#include "broker/replication/moving.h"

#include <glog/logging.h>
#include <pthread.h>

#include <algorithm>
#include <set>
#include <utility>

#include "broker/log/log_syncer.h"
#include "broker/log/move_names.h"
#include "broker/replication/ask.h"
#include "common/record/batch_header.h"

namespace tidemark::replication {
namespace {

constexpr size_t kChunk = 1 << 20;
constexpr int64_t kSyncEvery = 32 << 20;
// So little is copied while nobody may write.
constexpr size_t kLittle = 64 << 10;
// More that has come meanwhile is copied when all may write again.
constexpr size_t kMostRest = 8 << 20;
constexpr Duration kRetry = std::chrono::milliseconds(500);
// A rate that is raised counts soon.
constexpr Duration kLongestMoveWait = std::chrono::milliseconds(200);
constexpr size_t kLongestName = 255;
// Copies that are written to at the same time: each has files open.
constexpr ptrdiff_t kMostOpen = 16;

Error Dropped() { return {ErrorCode::kNotLeaderOrFollower, "the shard stops"}; }

CopyEnd EndOf(const log::Log& copy) {
  return {copy.end_offset(), copy.latest_epoch(), copy.forgotten().id};
}

// Holds a partition up for as long as it lives, or until it is taken.
class Hold {
 public:
  Hold(ReplicaShard& shard, const TopicPartition& partition, const Uuid& id)
      : shard_(shard), partition_(partition), topic_id_(id) {}
  ~Hold() {
    if (!held_) return;
    shard_.executor().Post(
        [shard = &shard_, partition = partition_, topic_id = topic_id_] {
          shard->LetGo(partition, topic_id);
        });
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

  Status Begin() {
    const auto begun = Ask<Status>(shard_.executor(), [this] {
      return shard_.HoldUp(partition_, topic_id_);
    });
    if (!begun) return Fail(Dropped());
    held_ = begun->has_value();
    return *begun;
  }
  void Over() { held_ = false; }

 private:
  ReplicaShard& shard_;
  const TopicPartition partition_;
  const Uuid topic_id_;
  bool held_ = false;
};

}  // namespace

ReplicaMover::ReplicaMover(log::LogManager& logs, ReplicaManagerImpl& replicas,
                           const Clock& clock, OnMoved on_moved)
    : logs_(logs),
      replicas_(replicas),
      clock_(clock),
      on_moved_(std::move(on_moved)) {}

ReplicaMover::~ReplicaMover() { Stop(); }

void ReplicaMover::Start() {
  for (const auto& unfinished : logs_.UnfinishedMoves()) {
    LOG(INFO) << "move goes on partition=" << ToString(unfinished.partition)
              << " to=" << unfinished.directory;
    Moving& move = moves_[unfinished.partition];
    move.directory = unfinished.directory;
    move.folder = unfinished.folder;
    Publish(unfinished.partition, move);
  }
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "log-mover");
    Run();
  });
}

void ReplicaMover::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void ReplicaMover::Move(Wanted wanted,
                        std::function<void(std::vector<ErrorCode>)> done) {
  std::lock_guard lock(mutex_);
  asked_.push_back({std::move(wanted), std::move(done)});
  wake_.notify_all();
}

std::vector<ReplicaMover::Future> ReplicaMover::Futures() const {
  std::lock_guard lock(mutex_);
  std::vector<Future> all;
  for (const auto& [partition, future] : futures_) all.push_back(future);
  return all;
}

ReplicaShard& ReplicaMover::ShardOf(const TopicPartition& partition) {
  return replicas_.shard(replicas_.ShardIndexOf(partition));
}

void ReplicaMover::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!asked_.empty()) {
      Asked asked = std::move(asked_.front());
      asked_.pop_front();
      lock.unlock();
      std::vector<ErrorCode> answers;
      for (const auto& [partition, directory] : asked.wanted) {
        answers.push_back(Begin(partition, directory));
      }
      asked.done(std::move(answers));
      lock.lock();
      continue;
    }
    lock.unlock();
    const bool moved = Step();
    lock.lock();
    if (moved) continue;
    const auto woken = [this] { return stopping_ || !asked_.empty(); };
    if (moves_.empty()) {
      wake_.wait(lock, woken);
    } else {
      wake_.wait_for(lock, kLongestMoveWait, woken);
    }
  }
}

// kafka ReplicaManager.alterReplicaLogDirs: in this order.
ErrorCode ReplicaMover::Begin(const TopicPartition& partition,
                              const std::string& directory) {
  if (log::NewFutureName(partition).size() > kLongestName) {
    return ErrorCode::kInvalidTopicException;
  }
  if (Status usable = logs_.CheckUsable(directory); !usable) {
    return usable.error().code;
  }
  ReplicaShard& shard = ShardOf(partition);
  const auto state = Ask<Result<ReplicaState>>(
      shard.executor(), [&] { return shard.StateOf(partition); });
  const ErrorCode error = !state               ? Dropped().code
                          : state->has_value() ? ErrorCode::kNone
                                               : state->error().code;
  if (error == ErrorCode::kKafkaStorageError) return error;
  const auto moving = moves_.find(partition);
  if (moving != moves_.end() && moving->second.directory != directory) {
    End(partition);
  }
  if (error != ErrorCode::kNone) {
    // Also where nobody knows it yet.
    logs_.MakeIn(partition, directory);
    return error == ErrorCode::kNotLeaderOrFollower
               ? ErrorCode::kReplicaNotAvailable
               : error;
  }
  if ((*state)->directory == directory || moves_.contains(partition)) {
    return ErrorCode::kNone;
  }
  auto folder = logs_.MakeFutureFolder(partition, directory);
  if (!folder) {
    LOG(ERROR) << "cannot move partition=" << ToString(partition)
               << " to=" << directory << " error=" << ToString(folder.error());
    return ErrorCode::kKafkaStorageError;
  }
  LOG(INFO) << "move begins partition=" << ToString(partition)
            << " from=" << (*state)->directory << " to=" << directory;
  Moving& move = moves_[partition];
  move.directory = directory;
  move.folder = std::move(*folder);
  Publish(partition, move);
  return ErrorCode::kNone;
}

void ReplicaMover::Publish(const TopicPartition& partition,
                           const Moving& move) {
  Future future{partition, move.directory, 0, 0};
  if (move.future != nullptr) {
    future.bytes = move.future->size_bytes();
    future.end = move.future->end_offset();
  }
  std::lock_guard lock(mutex_);
  futures_[partition] = std::move(future);
}

void ReplicaMover::End(const TopicPartition& partition) {
  Moving& move = moves_.at(partition);
  move.future = nullptr;
  if (!move.folder.empty()) {
    logs_.DropFuture(partition, move.directory, move.folder);
  }
  moves_.erase(partition);
  std::lock_guard lock(mutex_);
  futures_.erase(partition);
}

bool ReplicaMover::Step() {
  if (moves_.empty()) return false;
  const Instant now = clock_.Now();
  if (pace_.Wait(now) > Duration::zero()) return false;
  const bool many = std::ranges::count_if(moves_, [](const auto& one) {
                      // One that waits for a disk holds up no other.
                      return one.second.future != nullptr && !one.second.told;
                    }) >= kMostOpen;
  auto it = moves_.upper_bound(last_);
  for (size_t i = 0; i < moves_.size(); ++i, ++it) {
    if (it == moves_.end()) it = moves_.begin();
    if (it->second.not_before > now) continue;
    if (many && it->second.future == nullptr) continue;
    const TopicPartition partition = it->first;
    last_ = partition;
    const Outcome outcome = Advance(partition, it->second);
    if (outcome == Outcome::kEnds) {
      End(partition);
    } else if (outcome == Outcome::kWaits) {
      it->second.not_before = clock_.Now() + kRetry;
    }
    return true;
  }
  return false;
}

ReplicaMover::Outcome ReplicaMover::Failed(const TopicPartition& partition,
                                           Moving& move, const Error& error) {
  const bool gone = error.code == ErrorCode::kUnknownTopicOrPartition ||
                    error.code == ErrorCode::kReplicaNotAvailable;
  // A broken disk stays broken for as long as this process lives.
  const bool broken = !logs_.CheckUsable(move.directory);
  if (!std::exchange(move.told, true) || gone || broken) {
    LOG(WARNING) << "move " << (gone || broken ? "given up" : "waits")
                 << " partition=" << ToString(partition)
                 << " to=" << move.directory << " error=" << ToString(error);
  }
  return gone || broken ? Outcome::kEnds : Outcome::kWaits;
}

ReplicaMover::Outcome ReplicaMover::Advance(const TopicPartition& partition,
                                            Moving& move) {
  ReplicaShard& shard = ShardOf(partition);
  const auto state = Ask<Result<ReplicaState>>(
      shard.executor(), [&] { return shard.StateOf(partition); });
  if (!state) return Outcome::kWaits;
  if (!*state) return Failed(partition, move, state->error());
  if ((*state)->directory == move.directory) return Outcome::kEnds;
  if (Status room = logs_.HasRoom(move.directory); !room) {
    return Failed(partition, move, room.error());
  }
  if (Status ready = Prepare(partition, move, **state); !ready) {
    return Failed(partition, move, ready.error());
  }
  // What is read goes, so that it is no more than a second's worth.
  const size_t most = static_cast<size_t>(
      std::clamp<int64_t>(rate_, 1, static_cast<int64_t>(kChunk)));
  const auto chunk = AskLater<Result<CopyChunk>>(
      shard.executor(),
      [&shard, partition, id = move.topic_id, end = EndOf(*move.future),
       most](std::function<void(Result<CopyChunk>)> done) {
        shard.read().ReadCopy(partition, id, end, most, std::move(done));
      });
  if (!chunk) return Outcome::kWaits;
  const Result<size_t> copied = *chunk ? Copy(partition, move, **chunk)
                                       : Result<size_t>(Fail(chunk->error()));
  if (!copied) {
    TellOfDamage(partition, move, (*state)->which_log, copied.error());
    return Failed(partition, move, copied.error());
  }
  move.told = false;
  Publish(partition, move);
  const bool all = (*chunk)->same && (*chunk)->all && *copied <= kLittle;
  if (!all) return Outcome::kGoesOn;
  Status finished = SyncFuture(move);
  if (finished) finished = Finish(partition, move);
  if (finished) return Outcome::kEnds;
  return Failed(partition, move, finished.error());
}

// Others have good records in place of what was read.
void ReplicaMover::TellOfDamage(const TopicPartition& partition, Moving& move,
                                const WhichLog& which, const Error& error) {
  if (error.code != ErrorCode::kCorruptMessage) return;
  const Offset from = move.future->end_offset();
  if (std::exchange(move.damage_told, from) == from) return;
  ReplicaShard& shard = ShardOf(partition);
  shard.executor().Post([&shard, partition, which, from, error] {
    shard.FoundCorrupt(partition, which, from, error);
  });
}

// A future log that goes on from where it is.
Status ReplicaMover::Prepare(const TopicPartition& partition, Moving& move,
                             const ReplicaState& state) {
  if (move.future != nullptr && move.topic_id == state.topic_id &&
      !move.future->failed()) {
    return {};
  }
  move.future = nullptr;
  move.topic_id = state.topic_id;
  move.unsynced = 0;
  if (move.folder.empty()) {
    TM_ASSIGN_OR_RETURN(move.folder,
                        logs_.MakeFutureFolder(partition, move.directory));
  }
  TM_ASSIGN_OR_RETURN(
      move.future,
      logs_.OpenFuture(partition, state.topic_id, move.directory, move.folder,
                       state.config, state.start_offset, clock_.WallMs()));
  return {};
}

Result<size_t> ReplicaMover::Copy(const TopicPartition& partition, Moving& move,
                                  const CopyChunk& chunk) {
  log::Log& future = *move.future;
  if (!chunk.same && chunk.high_watermark > future.start_offset() &&
      chunk.high_watermark < future.end_offset()) {
    // It was cut; what is committed is there, but after an unclean election.
    TM_RETURN_IF_ERROR(future.TruncateTo(chunk.high_watermark));
    return kChunk;
  }
  if (!chunk.same || chunk.start_offset > future.end_offset()) {
    // It was written anew, or what comes next was deleted.
    LOG(INFO) << "move begins anew partition=" << ToString(partition)
              << " at=" << chunk.start_offset << " was=" << future.end_offset();
    TM_RETURN_IF_ERROR(future.TruncateFullyAndStartAt(chunk.start_offset));
    TM_RETURN_IF_ERROR(future.BeginFrom(chunk.forgotten));
    return kChunk;
  }
  if (chunk.batches.view().empty()) return 0;
  const auto first = record::ParseBatchHeader(chunk.batches.view());
  if (!first) return Fail(first.error());
  // The log's start may lie inside a batch.
  if (future.start_offset() == future.end_offset() &&
      first->base_offset < future.end_offset()) {
    TM_RETURN_IF_ERROR(future.TruncateFullyAndStartAt(first->base_offset));
  }
  const auto appended = future.AppendAsFollower(chunk.batches.view());
  if (!appended) return Fail(appended.error());
  if (chunk.start_offset > future.start_offset()) {
    TM_RETURN_IF_ERROR(future.AdvanceStartOffset(
        std::min(chunk.start_offset, future.end_offset())));
  }
  const size_t bytes = chunk.batches.view().size();
  pace_.Moved(bytes, clock_.Now());
  move.unsynced += static_cast<int64_t>(bytes);
  if (move.unsynced >= kSyncEvery) TM_RETURN_IF_ERROR(SyncFuture(move));
  return bytes;
}

Status ReplicaMover::SyncFuture(Moving& move) {
  move.unsynced = 0;
  return logs_.SyncFuture(*move.future);
}

// Among what is done to the partition's log elsewhere it has its turn.
Status ReplicaMover::Finish(const TopicPartition& partition, Moving& move) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable wake;
    std::optional<Status> finished;
  } waiting;
  logs_.workers().Do(partition, [&] {
    Status finished = FinishHeldUp(partition, move);
    std::lock_guard lock(waiting.mutex);
    waiting.finished = std::move(finished);
    waiting.wake.notify_one();
  });
  std::unique_lock lock(waiting.mutex);
  waiting.wake.wait(lock, [&] { return waiting.finished.has_value(); });
  return std::move(*waiting.finished);
}

Status ReplicaMover::CopyRest(const TopicPartition& partition, Moving& move,
                              ReplicaState* state) {
  ReplicaShard& shard = ShardOf(partition);
  size_t rest = 0;
  while (true) {
    const auto chunk = AskLater<Result<CopyChunk>>(
        shard.executor(),
        [&shard, partition, id = move.topic_id, end = EndOf(*move.future)](
            std::function<void(Result<CopyChunk>)> done) {
          shard.read().ReadCopy(partition, id, end, kChunk, std::move(done));
        });
    if (!chunk) return Fail(Dropped());
    if (!*chunk) return Fail(chunk->error());
    if (!(*chunk)->same || (*chunk)->start_offset > move.future->end_offset()) {
      return Fail(ErrorCode::kOffsetOutOfRange, "the log was cut meanwhile");
    }
    TM_ASSIGN_OR_RETURN(const size_t copied, Copy(partition, move, **chunk));
    if ((*chunk)->all) break;
    rest += copied;
    if (rest > kMostRest) {
      return Fail(ErrorCode::kOffsetOutOfRange, "too much came meanwhile");
    }
  }
  const auto now = Ask<Result<ReplicaState>>(
      shard.executor(), [&] { return shard.StateOf(partition); });
  if (!now) return Fail(Dropped());
  TM_RETURN_IF_ERROR(*now);
  *state = **now;
  log::Log& future = *move.future;
  if (future.end_offset() != state->end_offset) {
    return Fail(ErrorCode::kOffsetOutOfRange, "the copy is not whole");
  }
  TM_RETURN_IF_ERROR(future.AdvanceStartOffset(state->start_offset));
  // One that no batch tells of yet.
  if (state->latest_epoch > future.latest_epoch()) {
    TM_RETURN_IF_ERROR(
        future.AssignEpoch(state->latest_epoch, state->latest_epoch_start));
  }
  return {};
}

// From when this has returned no error, the copy counts.
Status ReplicaMover::Commit(const TopicPartition& partition, const Moving& move,
                            const ReplicaState& state, log::Log& copy) {
  // An empty log has written none.
  if (state.latest_epoch > copy.latest_epoch()) {
    TM_RETURN_IF_ERROR(
        copy.AssignEpoch(state.latest_epoch, state.latest_epoch_start));
  }
  // The only good one is not given up for one on a disk that has broken.
  TM_RETURN_IF_ERROR(logs_.CheckUsable(move.directory));
  if (copy.failed()) {
    return Fail(ErrorCode::kKafkaStorageError, "the copy is broken");
  }
  // It has been read from its disk again, which may have given something else.
  if (copy.end_offset() != state.end_offset ||
      copy.flushed_offset() != state.end_offset) {
    return Fail(ErrorCode::kKafkaStorageError,
                "the copy is not what was written");
  }
  ReplicaShard& shard = ShardOf(partition);
  const auto kept = Ask<bool>(shard.executor(), [&] {
    return shard.KeepHeldUp(partition, move.topic_id);
  });
  if (!kept) return Fail(Dropped());
  if (!*kept) {
    return Fail(ErrorCode::kRequestTimedOut,
                "it took too long while nobody could write");
  }
  return logs_.MarkMoved(partition);
}

Status ReplicaMover::FinishHeldUp(const TopicPartition& partition,
                                  Moving& move) {
  ReplicaShard& shard = ShardOf(partition);
  // May wait for a while, and then nobody else does.
  TM_RETURN_IF_ERROR(logs_.EndMoveBefore(partition));
  const Instant began = clock_.Now();
  Hold hold(shard, partition, move.topic_id);
  TM_RETURN_IF_ERROR(hold.Begin());
  ReplicaState state;
  TM_RETURN_IF_ERROR(CopyRest(partition, move, &state));
  TM_RETURN_IF_ERROR(move.future->Close());
  const Offset end = move.future->end_offset();
  move.future = nullptr;
  auto copy = logs_.PutCopy(partition, move.topic_id, move.directory,
                            &move.folder, state.config, state.start_offset,
                            state.high_watermark, clock_.WallMs());
  if (!copy) return Fail(copy.error());
  if (Status moved = Commit(partition, move, state, **copy); !moved) {
    *copy = nullptr;
    logs_.TakeBack(partition, move.directory);
    return moved;
  }
  auto fresh = std::make_shared<std::unique_ptr<log::Log>>(std::move(*copy));
  auto original = Ask<Result<std::shared_ptr<std::unique_ptr<log::Log>>>>(
      shard.executor(),
      [&]() -> Result<std::shared_ptr<std::unique_ptr<log::Log>>> {
        if (!shard.IsHeldUp(partition, move.topic_id)) {
          return Fail(ErrorCode::kUnknownTopicOrPartition);
        }
        logs_.NowIn(partition, move.directory);
        return std::make_shared<std::unique_ptr<log::Log>>(
            shard.Exchange(partition, std::move(*fresh)));
      });
  if (!original || !*original) {
    // The replica is gone, or the broker stops: nobody appends to the original
    // either, which is deleted or opened again.
    *fresh = nullptr;
    logs_.TakeBack(partition, move.directory);
    return original ? Fail(original->error()) : Fail(Dropped());
  }
  hold.Over();
  ++moved_;
  LOG(INFO) << "moved partition=" << ToString(partition)
            << " to=" << move.directory << " end_offset=" << end
            << " held_up_ms="
            << (clock_.Now() - began) / std::chrono::milliseconds(1);
  on_moved_(partition, move.topic_id, move.directory);
  logs_.RemoveOriginal(std::move(***original), move.directory);
  return {};
}

}  // namespace tidemark::replication
