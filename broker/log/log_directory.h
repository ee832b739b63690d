#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/log/checkpoint.h"
#include "broker/log/delayed_removals.h"
#include "broker/log/directory_health.h"
#include "broker/log/journal_syncer.h"
#include "broker/log/log.h"
#include "broker/log/log_mark.h"
#include "broker/log/log_workers.h"

namespace tidemark::log {

// "orders-3" -> {orders, 3}; nullopt for names that no log has: "orders-03".
std::optional<TopicPartition> ParsePartitionDirectory(std::string_view name);
// "orders-3.17-delete": of a log, or one of Kafka's, that is to be removed.
bool IsTrashName(std::string_view name);

// One directory of log.dirs: its journal and what is synced behind it, its
// checkpoint files (B-27), its clean-shutdown marker (B-28), its health
// (B-32), and the names of the logs in it.
//
// Start: Read; Begin; OpenLog for each that was found; StartJournal. Any
// thread; no lock is held while the disk is waited for, but by those who write
// the checkpoint files, for one another.
class LogDirectory final : public LogSyncer {
 public:
  struct Options {
    JournalRounds::Options journal;
    int sync_threads = 4;
    // Of the machine, for lost_writes.h.
    std::string boot;
    // A new log survives a power cut now. On a thread of the journal; only
    // posts.
    std::function<void(const TopicPartition&, const Uuid& topic_id,
                       const std::string& dir)>
        on_created;
    // False: whoever owns the directory runs rounds() himself (tests).
    bool threads = true;
    // Remove the files of segments that are not needed any more, and outlive
    // the logs' use; nullptr: the logs do.
    LogWorkers* workers = nullptr;
  };

  LogDirectory(io::FileSystem& fs, std::string path,
               std::shared_ptr<DirectoryHealth> health, Options options);
  ~LogDirectory() override;

  const std::string& path() const { return path_; }
  DirectoryHealth& health() { return *health_; }
  const DirectoryHealth& health() const { return *health_; }

  // Lists it, reads the marker, checkpoints and, after an unclean stop,
  // the journal. An error leaves it unread.
  Status Read();
  // It is in use from now on: no marker.
  Status Begin();
  bool read() const { return read_; }
  bool clean() const { return clean_; }
  int64_t broker_epoch() const { return broker_epoch_; }  // of the marker
  const std::vector<TopicPartition>& found() const { return found_; }
  // Whose log that is; nullopt: it is not known before it is opened.
  Result<std::optional<Uuid>> TopicIdOf(const TopicPartition& partition) const;
  // As found, what has a mark of a move (log/move_names.h), and folders of
  // copies.
  const std::set<TopicPartition>& copies() const { return copies_; }
  const std::set<TopicPartition>& moved() const { return moved_; }
  const std::vector<std::string>& futures() const { return futures_; }
  // As things stand.
  bool HasLog(const TopicPartition& partition) const;
  bool HasCopyMark(const TopicPartition& partition) const;
  bool HasMovedMark(const TopicPartition& partition) const;
  // Nothing is left of it but its name.
  Result<bool> IsEmpty(const TopicPartition& partition) const;
  // Names of what was renamed to be removed: as read, and as things stand.
  const std::vector<std::string>& trash() const { return trash_; }
  Result<std::vector<std::string>> ListTrash() const;

  // A log that was found, or a new one (`fresh`), which is there for good when
  // Options::on_created is called. Several threads at once.
  Result<std::unique_ptr<Log>> OpenLog(const TopicPartition& partition,
                                       const Uuid& topic_id,
                                       const LogConfig& config, bool fresh,
                                       int64_t now_ms);
  // `logs`: all that were opened. `complete`: no other was found; otherwise
  // the journal keeps what it has for those that are not.
  // kOutOfSpace, kOutOfHandles: the directory is to be read anew.
  Status StartJournal(const std::vector<Log*>& logs, bool complete);
  // After StartJournal: the journal tells of no log that was not opened.
  bool all_forgotten() const { return all_forgotten_; }
  // A log that was found, but opened after StartJournal. Waits for the disk.
  Status OpenedLate(Log& log);
  // A copy in `folder`, which is one of these, before it is the log; what was
  // in there is gone. `config`: but that it is synced by whoever writes it.
  Result<std::unique_ptr<Log>> OpenFuture(const std::string& folder,
                                          const TopicPartition& partition,
                                          const Uuid& topic_id,
                                          LogConfig config, Offset start,
                                          int64_t now_ms);
  // The copy in `folder`, which is whole and closed, is the log by that name
  // from now on: step 1 of a move. After StartJournal; waits for the disk.
  Result<std::unique_ptr<Log>> PutCopy(std::string* folder,
                                       const TopicPartition& partition,
                                       const Uuid& topic_id,
                                       const LogConfig& config, Offset start,
                                       int64_t now_ms);
  // Steps 2 and 4. An error of the first has changed nothing.
  Status MarkMoved(const TopicPartition& partition);
  Status RemoveCopyMark(const TopicPartition& partition);
  Status RemoveMovedMark(const TopicPartition& partition);
  // Another name for a folder of a copy that is not wanted any more.
  Result<std::string> DropFuture(const TopicPartition& partition,
                                 const std::string& folder);
  // No more come late: of the journal nothing is kept for them any longer.
  void AllOpened();
  // What an opened log should hold, by checkpoint files and journal: less is
  // damage. Before StartJournal, unless that was not complete.
  Offset Promised(const Log& log) const;

  // LogSyncer. REQUIRES: StartJournal.
  void Enqueue(SyncWork work, Done done) override;

  // The log is called something else from now on, so that another can have
  // its name. Returns the new path, for the caller to remove it when the
  // directory is synced. Quick: waits for no disk. One that is gone already is
  // all right. kOutOfSpace: it is still there, and to be renamed another time.
  Result<std::string> RenameAway(const TopicPartition& partition,
                                 const char* suffix);

  // A log by that name was renamed away, and a power cut may still bring it
  // back: no other directory must have one.
  bool Remembers(const TopicPartition& partition) const;

  // Waits until it does not; false: it may still be brought back.
  bool AwaitForgotten(const TopicPartition& partition) const;

  // Ends the current journal file, syncs behind it and writes what has changed
  // of the checkpoint files, on another thread.
  void Checkpoint();
  // Here and now: epochs first, then recovery points and log starts.
  // kOutOfSpace, kOutOfHandles: some are older than they could be.
  Status WriteCheckpoints();
  std::optional<Offset> HighWatermark(const TopicPartition& partition) const;
  void SetHighWatermarks(const OffsetMap& offsets);
  // If there are new ones. Here and now.
  Status WriteHighWatermarks();
  // Removals are for good.
  Status SyncNames();

  // What is to be removed, but not before its time. Paths; whoever takes them
  // removes them.
  void RemoveAt(std::string path, Instant due) {
    delayed_.Add(std::move(path), due);
  }
  std::vector<std::string> TakeRemovable(Instant now) {
    return delayed_.Take(now, health_->pressed());
  }

  // All logs are closed: no work comes any more.
  void StopJournal();
  // The checkpoint files are written, and tell of all logs: the journal ends
  // with a record that nothing in it counts, so that another version may work
  // on the directory meanwhile. kOutOfSpace: not marked.
  Status MarkClean(int64_t broker_epoch);

  JournalRounds& rounds() { return *rounds_; }

 private:
  Status SyncParent();
  Status ReadCheckpoints();
  Status FindLogs(const std::vector<std::string>& names);
  void FindMarks();
  OpenOptions OptionsFor(const TopicPartition& partition, const Uuid& topic_id,
                         const LogConfig& config,
                         const std::shared_ptr<LogMark>& mark);
  Status TryPutCopy(std::string* folder, const TopicPartition& partition);
  Result<bool> HoldsLog(const TopicPartition& partition) const;
  std::optional<JournalReplay> FindReplay(const JournalKey& key) const;
  // Does not wait.
  uint64_t Note(JournalRecord::Kind kind, JournalKey key, Offset offset,
                std::string name = {}, SyncWork work = {},
                std::function<void()> safe = nullptr);
  // Returns when the record is safe. kOutOfSpace: it never will be. Any other
  // error: the directory is broken.
  Status NoteNow(JournalRecord::Kind kind, const std::shared_ptr<LogMark>& mark,
                 Offset offset);
  void RemoveUnused(std::vector<std::string> files, int64_t delay_ms);
  Status RemoveOrDelay(std::vector<std::string>* files, int64_t delay_ms);
  void Carry(Log& log);
  void NoteGone(const std::vector<Log*>& logs);
  Status ForgetName(const TopicPartition& partition);
  Status RunNotes();
  void NoteCreated(Log& log);
  std::string TrashName(const TopicPartition& partition, const char* suffix);
  Status WriteEpochs(const TopicPartition& partition, LogMark& mark,
                     const LogMark::Checkpoint& checkpoint);
  // What has moved of a log since the files were written.
  struct Collected {
    TopicPartition partition;
    std::shared_ptr<LogMark> mark;
    LogMark::Checkpoint now;
  };
  Status CollectCheckpoints(std::vector<Collected>* moved);
  // Unless it holds just that. Under files_mutex_.
  Status WriteFile(const char* name, const OffsetMap& now, OffsetMap* written);
  JournalRounds::Options FittingJournal() const;
  std::string PathOf(const TopicPartition& partition) const;

  io::FileSystem& fs_;
  const std::string path_;
  const std::shared_ptr<DirectoryHealth> health_;
  const Options options_;
  DelayedRemovals delayed_;
  std::atomic<uint64_t> renamed_ = 0;
  bool read_ = false;
  bool clean_ = false;
  bool outdated_ = false;  // what the journal tells
  bool all_forgotten_ = false;
  int64_t broker_epoch_ = -1;
  std::vector<TopicPartition> found_;
  std::vector<std::string> trash_;
  std::set<TopicPartition> copies_, moved_;
  std::vector<std::string> futures_;
  JournalContents journal_;  // as found
  // Made since their directories were synced, as the journal has it.
  std::map<TopicPartition, Uuid> created_;
  std::unique_ptr<JournalRounds> rounds_;
  std::unique_ptr<JournalSyncer> syncer_;

  mutable std::mutex mutex_;  // of what follows
  std::map<TopicPartition, std::shared_ptr<LogMark>> marks_;
  struct RenamedAway {
    uint64_t number = 0;
    bool synced = false;  // the name
    bool noted = false;   // in the journal
  };
  std::map<TopicPartition, RenamedAway> renamed_away_;  // not for good yet
  // Of those for whose other name there was no room.
  std::map<TopicPartition, std::shared_ptr<LogMark>> leaving_;
  OffsetMap recovery_points_, starts_, high_watermarks_;
  OffsetMap first_dirty_;  // of logs that were cleaned
  // What the files hold.
  OffsetMap written_recovery_points_, written_starts_, written_high_watermarks_;
  OffsetMap written_first_dirty_;
  std::mutex files_mutex_;  // of who writes the files
};

}  // namespace tidemark::log
