#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/log/journal.h"
#include "broker/log/log.h"
#include "broker/log/log_mark.h"

namespace tidemark::log {

// What has to be synced before a journal file may be used again: the files
// and directories of the logs that rely on it. A value.
class SyncedBehind {
 public:
  // Of a work that is in the journal only.
  void Add(const SyncWork& work);
  // What was added to `later`.
  void Add(SyncedBehind later);
  void AddJournalFile(std::string path) {
    journal_files_.push_back(std::move(path));
  }
  bool empty() const { return claims_.empty() && journal_files_.empty(); }

  // Syncs it all, then tells the logs' marks. Blocking.
  Status Settle(io::FileSystem& fs);
  const std::vector<std::string>& journal_files() const {
    return journal_files_;
  }

 private:
  struct Claim {
    std::shared_ptr<LogMark> mark;
    uint64_t generation = 0;
    Offset end = 0;
    uint64_t change = 0;
  };
  void AddFiles(const std::vector<std::shared_ptr<io::File>>& files,
                const std::vector<std::string>& directories);
  void AddClaim(const Claim& claim);

  // In the order in which they came.
  std::vector<std::shared_ptr<io::File>> files_;
  std::vector<std::string> directories_;
  std::unordered_set<const io::File*> known_files_;
  std::unordered_set<std::string> known_directories_;
  std::unordered_map<const LogMark*, Claim> claims_;
  std::vector<std::string> journal_files_;
};

// The rounds of one journal, and what is synced behind each of its files.
// No threads of its own: one thread runs rounds, any thread the rest.
//
// Invariant: a work is safe only when the journal holds its batches, or its
// files are synced.
class JournalRounds {
 public:
  struct Options {
    // From this size on a work is synced in place. Where the two meet is
    // measured in docs/benchmarks.md.
    uint64_t in_place_bytes = 16 << 10;
    JournalOptions journal;
  };
  enum class State {
    kWaiting,
    kSafe,     // in the journal; or void, as the log was cut or removed since
    kInPlace,  // too much for the journal: to be synced as it is
  };
  struct Item {
    SyncWork work;
    State state = State::kWaiting;
  };

  // Of `earlier` nothing is used again before what it says has been made
  // safe elsewhere: Settle. Its files that are `kept` wait for Release as well,
  // and with them all that come after.
  JournalRounds(io::FileSystem& fs, std::string dir,
                const JournalContents& earlier, bool kept, Options options);

  // Whether a work has to go through Run; the others are synced in place.
  bool Takes(const SyncWork& work) const;

  // What happened to a log, in order; safe before whatever is given to Run
  // later. `work`: what has to be synced before the journal forgets it.
  // `safe`: called by Run. Returns a number for Withdraw.
  uint64_t Note(JournalRecord::Kind kind, JournalKey key, Offset offset,
                std::string name = {}, SyncWork work = {},
                std::function<void()> safe = nullptr);
  // A note for which there was no room will not be written. False: it may
  // have been, or will be.
  bool Withdraw(uint64_t note);
  bool HasNotes() const;
  // Whether there is anything in the journal.
  bool HasHistory() const { return earlier_ || journal_.HasFile(); }
  // What the files of `earlier` say of a log has to be synced before they are
  // used again. Before the first TakeEnded, or Release.
  void Carry(const SyncWork& work);
  // What was kept is needed no longer than anything else. False: nothing was.
  bool Release();

  // What was noted and the items, in one write and one sync if they are not
  // too much. kOutOfSpace: the journal has no room for the notes; items wait:
  // again when something was freed. Any other error: the disk is broken, and
  // nothing is written any more.
  Status Run(std::vector<Item>& items);
  // No round gets much larger.
  size_t round_bytes() const;

  // Ends the current file, so that what relies on it gets settled. On the
  // thread that runs rounds.
  void EndFile();

  // What nobody writes to any more: of all files that have ended, so that who
  // comes late syncs a log once for all of them. nullopt: nothing. After
  // SyncedBehind::Settle and the checkpoint: Free.
  std::optional<SyncedBehind> TakeEnded();
  bool HasEnded() const;
  void Free(const SyncedBehind& settled);
  // Journal::MakeSpare.
  void MakeSpare() { journal_.MakeSpare(); }

 private:
  struct NotedRecord {
    uint64_t number = 0;
    JournalRecord record;
    std::string name;
    SyncWork work;
    std::function<void()> safe;
  };

  Status RunNotes(size_t most, std::string* round,
                  std::vector<NotedRecord>* noted);
  Status TryRun(std::vector<Item>& items);
  bool IsSmall(const SyncWork& work) const;
  Status EncodeItem(Item& item, std::string* round);
  Status Encode(std::vector<Item>& items, std::string* round);
  Result<bool> MakeRoom(size_t size);
  Status NextFile();
  Status Write(std::string* round);
  void TakeNotes(size_t most, std::vector<NotedRecord>* noted);
  void NotesDone(const std::vector<NotedRecord>& noted);

  io::FileSystem& fs_;
  const Options options_;
  Journal journal_;
  const bool earlier_;
  std::optional<Error> broken_;
  bool dirty_ = false;        // the current file has rounds
  bool full_ = false;         // and it was said
  mutable std::mutex mutex_;  // of what follows
  std::deque<NotedRecord> notes_;
  uint64_t noted_ = 0;  // number of the last
  size_t taken_ = 0;    // of notes_: in the round being written
  SyncedBehind current_;
  std::deque<SyncedBehind> ended_;
  std::optional<SyncedBehind> kept_;
};

}  // namespace tidemark::log
