#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "broker/log/directory_health.h"
#include "broker/log/journal_rounds.h"
#include "broker/log/log_syncer.h"

namespace tidemark::log {

// Group commit of one log directory: while one round is written and synced to
// the journal, what arrives from all shards waits and makes up the next. Works
// that the journal does not take are synced in place beside it.
//
// Two threads: one for rounds; one that syncs behind the journal, has the
// checkpoint files written (`checkpoint`) and frees the journal file then, in
// this order, so that a journal file goes only when nothing needs it. After
// the first failure nothing is synced any more and everything fails (B-32).
class JournalSyncer final : public LogSyncer {
 public:
  // `rounds` outlives the syncer.
  JournalSyncer(JournalRounds& rounds, io::FileSystem& fs,
                std::shared_ptr<DirectoryHealth> health,
                std::function<Status()> checkpoint, int sync_threads);
  // Finishes what is queued, unless the journal has no room for it, but
  // nothing behind it.
  ~JournalSyncer() override;

  void Enqueue(SyncWork work, Done done) override;
  // Something was noted in `rounds`; where nobody waits for it (not `now`) it
  // goes with others of its kind, or with the next work.
  void Noted(bool now);
  // The last round did not find room.
  bool full() const { return full_; }
  // Ends the current journal file, if anything relies on it, and has the
  // checkpoint files written. Returns at once.
  void Checkpoint();

 private:
  struct Waiting {
    JournalRounds::Item item;
    Done done;
  };

  bool HasWork() const;
  void Push(Waiting waiting);
  void RunRounds();
  void RunRound(std::vector<Waiting> round);
  // What waits on is left in `round`.
  Status TryRound(std::vector<Waiting>* round);
  bool WaitForRoom();
  void TakeQueued(std::vector<Waiting>* round);
  void SyncInPlace(SyncWork work, Done done);
  void RunBehind();
  void SettleEnded();
  void WakeBehind(bool checkpoint);
  Status Online() const;

  JournalRounds& rounds_;
  io::FileSystem& fs_;
  const std::shared_ptr<DirectoryHealth> health_;
  const std::function<Status()> checkpoint_;

  std::mutex mutex_;  // of what follows
  std::condition_variable wake_, wake_behind_, freed_;
  std::deque<Waiting> queue_;
  bool noted_ = false;
  bool noted_for_later_ = false;
  bool end_file_ = false;
  bool behind_ready_ = false;
  bool checkpoint_wanted_ = false;
  bool stopping_ = false;
  uint64_t frees_ = 0;
  std::atomic<bool> full_ = false;

  std::unique_ptr<ThreadedLogSyncer> in_place_;
  std::thread round_thread_, behind_thread_;
};

}  // namespace tidemark::log
