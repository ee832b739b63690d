#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "broker/log/log_directory.h"
#include "broker/log/log_workers.h"

namespace tidemark::log {

struct LogManagerOptions {
  std::vector<std::string> dirs;  // log.dirs
  // Of logs found on disk until their owner says better (Log::UpdateConfig).
  LogConfig config;
  int load_threads = 0;         // 0: as many as the machine has
  size_t most_removals = 1000;  // that are remembered when they fail
  LogDirectory::Options directory;
  // What must stay free on a disk before producers are refused; -1: one
  // hundredth of it, at most 1 GiB.
  int64_t min_free_bytes = -1;
  // Directories that are broken already, and why: they start offline.
  std::map<std::string, Error> broken;
  // Now and then, on the manager's thread: whether the directory by that name
  // is still the one that was opened. An error takes it offline.
  std::function<Status(const std::string& dir)> check;
  // A directory broke: called once for each, on the thread that met the error.
  // Only posts.
  std::function<void(const std::string& dir, const Error& why)> on_offline;
};

struct LoadedPartition {
  TopicPartition partition;
  Uuid topic_id;  // zero: its partition.metadata did not survive
  std::string dir;
};

// The log directories of a broker: finds the logs in them at start, makes and
// removes logs, and keeps house: removals, high watermarks and free space on a
// thread of their own.
//
// Any thread, but one after the other for each partition; one lock, of what is
// where, never held while the disk is waited for. A log itself belongs to
// whoever got it from here. The process lock and meta.properties of a directory
// are not its business.
class LogManager {
 public:
  // Loads every log of every directory, in parallel; scans those of
  // directories that were not shut down cleanly. A directory that cannot be
  // read starts offline; kKafkaStorageError when all do. kOutOfHandles,
  // kOutOfSpace: nothing has happened, and it is to be tried again.
  static Result<std::unique_ptr<LogManager>> Open(io::FileSystem& fs,
                                                  LogManagerOptions options,
                                                  int64_t now_ms);
  // Waits for the workers and for removals in progress.
  ~LogManager();

  // The broker epoch of the last clean shutdown of all directories, else -1
  // (KIP-966 tells the controller).
  int64_t previous_broker_epoch() const { return previous_broker_epoch_; }

  // Found at start and not yet handed out: strays among them are the caller's
  // to name, once it has a complete image (B-31).
  std::vector<LoadedPartition> LoadedPartitions() const;

  // The log found at start, when it is this very topic's, whole, and not handed
  // out yet; else nullptr. Waits for no disk.
  std::unique_ptr<Log> TakeFound(const TopicPartition& partition,
                                 const Uuid& topic_id, const LogConfig& config);
  // The log found at start, or a new one in the directory with the fewest
  // partitions. A log of another topic id is a stray: it is renamed and
  // removed. kKafkaStorageError: its directory, or every one, is offline; or
  // there is no log, the partition is not `is_new`, and a directory that may
  // hold it is offline: an empty one must not take its place.
  // kOutOfHandles, kOutOfSpace: later it may open.
  // REQUIRES: the partition's log is not handed out already.
  Result<std::unique_ptr<Log>> GetOrCreate(const TopicPartition& partition,
                                           const Uuid& topic_id,
                                           const LogConfig& config, bool is_new,
                                           int64_t now_ms);
  // Loads the partition's log if something had run out when the others were
  // loaded. kOutOfHandles, kOutOfSpace: later it may open. GetOrCreate does
  // this too, but tells nobody what the log has lost.
  Status LoadLate(const TopicPartition& partition, int64_t now_ms);
  // Of several logs by that name, which a directory that was not usable for a
  // while may have brought, this topic's is the partition's; the others are
  // strays, and removed. GetOrCreate does this, too.
  Status RemoveDoubles(const TopicPartition& partition, const Uuid& topic_id);
  // Whether the partition's log is on disk, loaded or not.
  bool Has(const TopicPartition& partition, const Uuid& topic_id) const;
  // Whether its log, as found at start, has records and no id of a topic, so
  // that nobody can tell whose they are.
  bool IsNameless(const TopicPartition& partition) const;
  // Renames a log that nobody was handed, so that another can have its name,
  // and leaves it there, for people to look at.
  Status SetAside(const TopicPartition& partition);
  // Whether its log, as found at start, ends before what the checkpoint files
  // promise: not a crash, its disk has lost something (B-28, B-30).
  bool IsShortened(const TopicPartition& partition) const;
  // The log directory its log is in; "" when there is none.
  std::string DirectoryOf(const TopicPartition& partition) const;
  // As the checkpoint said at start, or as last set.
  std::optional<Offset> CheckpointedHighWatermark(
      const TopicPartition& partition) const;

  // Renamed before return, so that the partition can be created anew; removed
  // in the background, after the delay.
  Status DeleteLog(std::unique_ptr<Log> log);
  // A log nobody was handed. kUnknownTopicOrPartition: no such, or of another
  // topic id.
  Status RemoveStray(const TopicPartition& partition, const Uuid& topic_id);

  // While set, logs that would go by DeleteLog, RemoveStray or for another
  // topic of their name are renamed and stay, for people to look at: the
  // metadata may have forgotten them. Any thread.
  void KeepLogs(bool keep) { keep_ = keep; }

  // How long deleted logs stay, under another name
  // (log.segment.delete.delay.ms); at first that of LogManagerOptions::config.
  // Less where the disk is nearly full. Any thread.
  void SetDeleteDelay(int64_t delay_ms) { delete_delay_ms_ = delay_ms; }

  // Moves of logs between directories (log/move_names.h), by
  // replication::ReplicaMover. Directories by their paths.
  //
  // kLogDirNotFound, kKafkaStorageError: it is offline.
  Status CheckUsable(const std::string& directory) const;
  // kKafkaStorageError: its disk is nearly full.
  Status HasRoom(const std::string& directory) const;
  // When the partition comes to be here, its log is made there.
  void MakeIn(const TopicPartition& partition, const std::string& directory);
  struct UnfinishedMove {
    TopicPartition partition;
    std::string directory;
    std::string folder;  // "": it is to be made
  };
  // As found at start.
  const std::vector<UnfinishedMove>& UnfinishedMoves() const {
    return unfinished_;
  }
  // Waits for a disk, as all that follow but NowIn.
  Result<std::string> MakeFutureFolder(const TopicPartition& partition,
                                       const std::string& directory);
  void DropFuture(const TopicPartition& partition, const std::string& directory,
                  const std::string& folder);
  // An empty log that begins at `start`; whoever has it writes and closes it.
  Result<std::unique_ptr<Log>> OpenFuture(const TopicPartition& partition,
                                          const Uuid& topic_id,
                                          const std::string& directory,
                                          const std::string& folder,
                                          const LogConfig& config, Offset start,
                                          int64_t now_ms);
  Status SyncFuture(Log& future);
  // Its log has no mark of an earlier move any more.
  Status EndMoveBefore(const TopicPartition& partition);
  // The log from the closed copy in `folder`, which is "" when its name is
  // another. An error leaves the original as it was.
  Result<std::unique_ptr<Log>> PutCopy(const TopicPartition& partition,
                                       const Uuid& topic_id,
                                       const std::string& directory,
                                       std::string* folder,
                                       const LogConfig& config, Offset start,
                                       Offset high_watermark, int64_t now_ms);
  // The copy counts from now on. An error has changed nothing, or the
  // original's directory is offline.
  Status MarkMoved(const TopicPartition& partition);
  // The copy goes, which nobody has appended to.
  void TakeBack(const TopicPartition& partition, const std::string& directory);
  // The log that is handed out is the copy. Waits for nothing.
  void NowIn(const TopicPartition& partition, const std::string& directory);
  // After that.
  void RemoveOriginal(std::unique_ptr<Log> original,
                      const std::string& directory);

  // Has what found no room at start loaded by the workers, whoever may need it;
  // now and then that is done anyway.
  void LoadMissing();

  // Have the checkpoint files written, in the background; offline directories
  // are left alone.
  void Checkpoint();
  void SetHighWatermarks(const OffsetMap& high_watermarks);
  // The start that the partition's log has now is on disk. Here and now.
  Status KeepStart(const TopicPartition& partition);

  // Threads for what waits for a disk. Logs are made, removed and cut there,
  // each in the order in which it was asked for.
  LogWorkers& workers() { return workers_; }

  // When the workers have nothing left to do: closes `logs`, which are all that
  // were handed out, and those that were not, writes the checkpoint files, and
  // marks every directory as clean whose logs are all closed.
  Status ShutdownCleanly(std::vector<std::unique_ptr<Log>> logs,
                         int64_t broker_epoch);

  std::vector<std::string> OfflineDirectories() const;

 private:
  struct Directory {
    std::unique_ptr<LogDirectory> at;
    size_t handed_out = 0;
    size_t partitions = 0;
    size_t missing = 0;       // found, and not loaded yet
    bool more_trash = false;  // than in removals_; for the housekeeper
  };
  struct Place {
    // Takes what was opened of it.
    void Loaded(Result<std::unique_ptr<Log>> opened,
                const TopicPartition& partition);

    Directory* dir = nullptr;
    Uuid topic_id;             // where another has the same name
    std::unique_ptr<Log> log;  // until handed out
    std::optional<Error> error;
    bool shortened = false;
    // It is to be removed, and there was no room to rename it: nobody gets it,
    // nor its name. nullptr: it is not.
    const char* leaving_as = nullptr;
  };
  struct Removal {
    LogDirectory* dir = nullptr;
    std::string path;
    Instant due{};
  };

  LogManager(io::FileSystem& fs, LogManagerOptions options);
  void AddDirectory(const std::string& path);
  // What is in the directories, and that they are in use from now on. The only
  // error is a shortage.
  Status OpenDirectories();
  Status ReadDirectory(Directory& dir);
  Status AddDouble(const TopicPartition& partition, Directory& dir);
  template <class F>
  void ForEachPlace(const F& each) {
    for (auto& [partition, place] : places_) each(partition, place);
    for (auto& [partition, place] : doubles_) each(partition, place);
  }
  // Of a log and its copy one stays.
  bool IsMove(const TopicPartition& partition, const Place& a,
              const Place& b) const;
  Status ResolveMoves();
  Status ResolveCopy(const TopicPartition& partition, Directory& dir,
                     bool all_read);
  Directory* WhereItCounts(const TopicPartition& partition, const Place& moved);
  static Status OrOffline(Directory& dir, const Status& done);
  Status Lose(const TopicPartition& partition, Directory& dir);
  Status UnmarkCopies();
  Status RemoveCopyMark(const TopicPartition& partition, Directory& dir);
  // False: there may still be one in that directory, or come back.
  bool MakeForgotten(const TopicPartition& partition, Directory& other);
  Place* PlaceIn(const TopicPartition& partition, const Directory& dir);
  Directory* FindDirectory(const std::string& path) const;
  // This topic's is the one that places_ has. Under the lock.
  void Prefer(const TopicPartition& partition, const Uuid& topic_id);
  void LoadAll(int64_t now_ms);
  Status StartJournals();
  void ReadPreviousBrokerEpoch();
  // Where a log by that name was removed a moment ago, or the one with the
  // fewest partitions; nullptr: all are offline. Under the lock.
  Directory* PlaceFor(const TopicPartition& partition);
  // Without a log by that name. Under the lock.
  Status MayCreate(const TopicPartition& partition, bool is_new) const;
  // One that was missing is loaded, or gone. Under the lock.
  void NotMissing(Directory& dir);
  // A shortage: it is tried again by the workers now and then.
  Status RenameAway(LogDirectory& dir, const TopicPartition& partition,
                    const char* suffix);
  void RenameLeaving();
  // What a log that is to go is called.
  const char* Leaving(const char* suffix) const;
  static void CloseIfKept(Log& log, std::string_view suffix);
  // It is called so now: removed, unless it is to stay. Under the lock.
  void Renamed(LogDirectory& dir, const TopicPartition& partition,
               const std::string& path, std::string_view suffix);
  // Nothing is left of a log that could not be made.
  void NotMade(Directory& dir, const TopicPartition& partition);
  void CheckDirectories();
  void KeepHouse();
  // Nothing that was renamed comes back, nor counts.
  void MakeFinal(const std::vector<Removal>& removals);
  // Those whose time has come, also of what was found so before.
  std::vector<Removal> TakeDue(std::vector<Removal> removals);
  // Those for which something has run out.
  std::vector<Removal> Remove(std::vector<Removal> removals);
  // What is too many to remember is found in the directory. Under the lock.
  void RemoveAgain(std::vector<Removal> removals);
  std::vector<Removal> FindTrash();

  io::FileSystem& fs_;
  const LogManagerOptions options_;
  std::vector<std::unique_ptr<Directory>> dirs_;
  std::vector<UnfinishedMove> unfinished_;
  // Found at start, with a mark until the original's journal has forgotten it;
  // not changed after that.
  struct MarkedCopy {
    TopicPartition partition;
    Directory* dir = nullptr;
    Directory* original = nullptr;
  };
  std::vector<MarkedCopy> marked_;
  int64_t previous_broker_epoch_ = -1;
  int64_t started_ms_ = 0;
  LogWorkers workers_;
  std::atomic<bool> keep_ = false;
  std::atomic<int64_t> delete_delay_ms_;

  mutable std::mutex mutex_;  // of everything below and the counts in dirs_
  std::map<TopicPartition, Place> places_;
  std::multimap<TopicPartition, Place> doubles_;   // of other topics
  std::map<TopicPartition, std::string> made_in_;  // MakeIn
  std::vector<Removal> removals_;
  size_t loading_ = 0;   // what LoadMissing has asked for
  size_t leaving_ = 0;   // places with leaving_as
  size_t renaming_ = 0;  // what RenameLeaving has asked for
  bool high_watermarks_set_ = false;
  bool closing_ = false;
  bool stopping_ = false;
  std::condition_variable wake_;
  std::thread housekeeper_;
};

}  // namespace tidemark::log
