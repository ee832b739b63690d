#include "broker/log/journal_syncer.h"

#include <glog/logging.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

namespace tidemark::log {
namespace {

// Until what found no room is tried again.
constexpr std::chrono::seconds kRetry(1);
// Logs are made by the thousand, and each takes less than this.
constexpr std::chrono::milliseconds kGather(2);

}  // namespace

JournalSyncer::JournalSyncer(JournalRounds& rounds, io::FileSystem& fs,
                             std::shared_ptr<DirectoryHealth> health,
                             std::function<Status()> checkpoint,
                             int sync_threads)
    : rounds_(rounds),
      fs_(fs),
      health_(std::move(health)),
      checkpoint_(std::move(checkpoint)),
      in_place_(std::make_unique<ThreadedLogSyncer>(fs, health_, sync_threads)),
      round_thread_([this] {
        pthread_setname_np(pthread_self(), "log-journal");
        RunRounds();
      }),
      behind_thread_([this] {
        pthread_setname_np(pthread_self(), "log-behind");
        RunBehind();
      }) {}

JournalSyncer::~JournalSyncer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  wake_behind_.notify_all();
  freed_.notify_all();
  round_thread_.join();
  behind_thread_.join();
  in_place_ = nullptr;
}

Status JournalSyncer::Online() const {
  if (!health_->offline()) return {};
  return Fail(ErrorCode::kKafkaStorageError,
              health_->dir() + " is offline after an earlier disk error");
}

void JournalSyncer::Push(Waiting waiting) {
  // Told without the lock, which whoever wakes up takes first.
  bool first = false;
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(waiting));
    first = queue_.size() == 1;
  }
  if (!first) return;
  wake_.notify_one();
  freed_.notify_one();
}

void JournalSyncer::Enqueue(SyncWork work, Done done) {
  if (!rounds_.Takes(work)) {
    return SyncInPlace(std::move(work), std::move(done));
  }
  Waiting waiting;
  waiting.item.work = std::move(work);
  waiting.done = std::move(done);
  Push(std::move(waiting));
}

void JournalSyncer::Noted(bool now) {
  {
    std::lock_guard lock(mutex_);
    bool& noted = now ? noted_ : noted_for_later_;
    if (std::exchange(noted, true)) return;
  }
  wake_.notify_one();
}

void JournalSyncer::Checkpoint() {
  std::lock_guard lock(mutex_);
  end_file_ = true;
  wake_.notify_one();
}

void JournalSyncer::SyncInPlace(SyncWork work, Done done) {
  Done told = [mark = work.mark, generation = work.generation,
               end = work.end_offset, change = work.change,
               done = std::move(done)](Status synced) {
    if (synced && mark) mark->Synced(generation, end, change);
    done(std::move(synced));
  };
  in_place_->Enqueue(std::move(work), std::move(told));
}

bool JournalSyncer::HasWork() const {
  return stopping_ || end_file_ || noted_ || !queue_.empty();
}

void JournalSyncer::RunRounds() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return HasWork() || noted_for_later_; });
    if (!HasWork()) wake_.wait_for(lock, kGather, [&] { return HasWork(); });
    noted_ |= std::exchange(noted_for_later_, false);
    if (end_file_) {
      end_file_ = false;
      lock.unlock();
      rounds_.EndFile();
      WakeBehind(true);
      lock.lock();
    }
    if (queue_.empty() && !noted_) {
      if (stopping_) return;
      continue;
    }
    noted_ = false;
    std::vector<Waiting> round;
    size_t bytes = 0;
    while (!queue_.empty() && bytes < rounds_.round_bytes()) {
      const auto& appended = queue_.front().item.work.appended;
      bytes += kJournalRecordHeader + (appended ? appended->size : 0);
      round.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    lock.unlock();
    RunRound(std::move(round));
    lock.lock();
  }
}

void JournalSyncer::RunRound(std::vector<Waiting> round) {
  while (true) {
    const Status ran = TryRound(&round);
    if (rounds_.HasEnded()) WakeBehind(false);
    if (ran) return;
    if (io::IsShortage(ran.error()) && WaitForRoom()) {
      TakeQueued(&round);
      continue;
    }
    for (Waiting& waiting : round) waiting.done(ran);
    return;
  }
}

Status JournalSyncer::TryRound(std::vector<Waiting>* round) {
  TM_RETURN_IF_ERROR(Online());
  std::vector<JournalRounds::Item> items;
  items.reserve(round->size());
  for (Waiting& waiting : *round) items.push_back(std::move(waiting.item));
  Status ran = rounds_.Run(items);
  full_ = !ran && io::IsShortage(ran.error());
  if (!ran && !io::IsShortage(ran.error())) {
    health_->TakeOffline(ran.error());
    return ran;
  }
  std::vector<Waiting> left;
  for (size_t i = 0; i < items.size(); ++i) {
    Waiting& waiting = (*round)[i];
    switch (items[i].state) {
      case JournalRounds::State::kSafe:
        waiting.done({});
        break;
      case JournalRounds::State::kInPlace:
        SyncInPlace(std::move(items[i].work), std::move(waiting.done));
        break;
      case JournalRounds::State::kWaiting:
        waiting.item = std::move(items[i]);
        left.push_back(std::move(waiting));
    }
  }
  *round = std::move(left);
  return ran;
}

// While notes wait for room, what comes behind them may not need any.
void JournalSyncer::TakeQueued(std::vector<Waiting>* round) {
  std::lock_guard lock(mutex_);
  for (Waiting& waiting : queue_) round->push_back(std::move(waiting));
  queue_.clear();
}

// False: it is no use.
bool JournalSyncer::WaitForRoom() {
  std::unique_lock lock(mutex_);
  const uint64_t before = frees_;
  freed_.wait_for(lock, kRetry, [&] {
    return stopping_ || frees_ != before || !queue_.empty();
  });
  return !stopping_;
}

void JournalSyncer::WakeBehind(bool checkpoint) {
  std::lock_guard lock(mutex_);
  checkpoint_wanted_ |= checkpoint;
  behind_ready_ = true;
  wake_behind_.notify_one();
}

void JournalSyncer::RunBehind() {
  SettleEnded();
  while (true) {
    if (Online()) rounds_.MakeSpare();
    bool checkpoint = false;
    {
      std::unique_lock lock(mutex_);
      wake_behind_.wait(lock, [&] { return stopping_ || behind_ready_; });
      if (stopping_) return;
      behind_ready_ = false;
      checkpoint = std::exchange(checkpoint_wanted_, false);
    }
    if (checkpoint && !rounds_.HasEnded() && Online()) (void)checkpoint_();
    SettleEnded();
  }
}

void JournalSyncer::SettleEnded() {
  while (auto ended = rounds_.TakeEnded()) {
    if (!Online()) return;
    if (Status settled = ended->Settle(fs_); !settled) {
      health_->TakeOffline(settled.error());
      return;
    }
    Status written = checkpoint_();
    while (!written && io::IsShortage(written.error())) {
      std::unique_lock lock(mutex_);
      if (wake_behind_.wait_for(lock, kRetry, [&] { return stopping_; })) {
        return;
      }
      lock.unlock();
      written = checkpoint_();
    }
    if (!written) return;
    rounds_.Free(*ended);
    std::lock_guard lock(mutex_);
    ++frees_;
    freed_.notify_one();
  }
}

}  // namespace tidemark::log
