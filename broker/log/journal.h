#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/journal_format.h"
#include "common/io/file.h"

namespace tidemark::log {

// What a journal held when its directory was opened.
struct JournalContents {
  struct File {
    std::string path;
    JournalFileHeader header;
    uint64_t last_round = 0;  // header.first_round - 1 when there is none
    std::shared_ptr<io::File> open;
  };
  // Those that tell the end of the history without a gap, oldest first.
  std::vector<File> files;
  // The others: of earlier uses, or never used.
  std::vector<std::string> unused;
  std::map<JournalKey, JournalPlan> plans;
  uint64_t next_sequence = 1;
  uint64_t next_round = 1;
  uint64_t next_name = 1;

  // The batches of an append of one of `plans`. Several threads at once.
  Result<std::string> Read(const JournalPlan::Append& append) const;
};

// Reads the journal in `dir`; changes nothing, so that it can be done again
// and again until the logs hold what it says. A torn round ends it: nothing of
// it was promised. An empty one when `dir` does not exist.
// kKafkaStorageError, kOutOfHandles: it cannot be read.
// kCorruptMessage: a file or a round in the middle is missing or damaged, so
// that acknowledged batches may be.
Result<JournalContents> ReadJournal(io::FileSystem& fs, const std::string& dir);
// What was read may still be in the page cache only, the names of files
// included, of a process that was killed: before anybody relies on it or writes
// to the files.
Status SyncJournal(io::FileSystem& fs, const std::string& dir,
                   const JournalContents& contents);

struct JournalOptions {
  uint64_t file_bytes = 32 << 20;
  // At least 2, so that one can be freed while the other fills.
  size_t max_files = 8;
};

// Writes the rounds. One thread, but for Free, which any thread may call.
//
// Files are used again oldest first, so that what is left of the history on
// disk is always its end without a gap.
class Journal {
 public:
  // Goes on where `contents` ends, in another file. `dir` is made when
  // missing. Nothing is written before the first round.
  Journal(io::FileSystem& fs, std::string dir, const JournalContents& contents,
          JournalOptions options);

  // Whether a round of `size` bytes has room in the current file. Its end is
  // kept for what may use the `reserve`.
  bool Fits(size_t size, bool reserve) const;
  bool HasFile() const { return file_ != nullptr; }
  // Of rounds.
  bool IsEmpty() const { return at_ == kJournalRoundsAt; }
  uint64_t file_bytes() const { return options_.file_bytes; }
  // Ends the use of the current file, if there is one, and begins that of
  // another. kOutOfSpace: none is free, and none may or can be made; the
  // current one stays.
  // Returns the path of the file that has ended, or an empty one: it is the
  // caller's, who gives it back with Free when its logs are synced.
  Result<std::string> NextFile();
  // One write, one sync: when it returns, `round` is safe. It begins with
  // kJournalRoundHeader bytes of room for the header; afterwards it is filled
  // up to a block. kOutOfSpace: nothing has happened. REQUIRES: Fits.
  Status Append(std::string* round);
  // The file may be used again, as soon as those before it may.
  void Free(const std::string& path);
  // Makes a file for later, if there is none to be used and one more may be
  // made: written from end to end, so that a round in it is nothing but its own
  // bytes for the file system. Takes a while; any thread, one at a time.
  void MakeSpare();

 private:
  struct Used {
    uint64_t sequence = 0;
    std::string path;
    bool free = false;  // but for those before it
  };
  // An empty string: no more may be made.
  std::string NewPath();
  Result<std::shared_ptr<io::File>> Make(const std::string& path);
  Result<std::shared_ptr<io::File>> MakeNew(std::string* path);
  Result<std::shared_ptr<io::File>> Reuse(const std::string& path);

  io::FileSystem& fs_;
  const std::string dir_;
  const JournalOptions options_;
  std::string path_;  // of the current file
  std::shared_ptr<io::File> file_;
  uint64_t at_ = 0;
  uint64_t sequence_;
  uint64_t round_;
  std::mutex mutex_;  // of what follows
  uint64_t name_;
  size_t count_ = 0;  // of files there are
  std::deque<std::string> free_;
  std::deque<Used> used_;  // oldest first; the last may be the current one
};

}  // namespace tidemark::log
