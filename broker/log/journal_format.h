#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/uuid.h"
#include "common/io/file.h"

// The bytes of a log directory's journal, and what they say about a log. Pure.
//
// A journal is a sequence of files of one fixed size, used over and over. Each
// use of a file has the next sequence number; each round (one write, one sync)
// has the next round number, across files. All numbers big-endian.
//
//   file   two blocks of 4 KiB for headers, which take turns, so that one that
//          is torn leaves the other; then rounds, each in blocks of its own, so
//          that no write touches a sector that was promised
//   header magic u32 "TMJF", crc u32 (CRC-32C of the rest), version u32 = 1,
//          sequence u64, first round u64, oldest u64: the sequence number of
//          the oldest file that was needed then. When one is missing from
//          there on, the journal is damaged.
//   round  magic u32 "TMJR", crc u32 (of the rest, payload included),
//          sequence u64, round u64, size u32; then `size` bytes of records
//   record kind u8, topic id 16 bytes, partition i32, offset i64, next i64,
//          size u32; then `size` bytes of batches
//
// What an earlier use of the file has left behind the last round has another
// sequence number, so it ends the file.
namespace tidemark::log {

// A log in the journal. Not its name: a topic may be deleted and made anew.
struct JournalKey {
  Uuid topic_id;
  PartitionIndex partition = 0;
  auto operator<=>(const JournalKey&) const = default;
};

struct JournalRecord {
  enum class Kind : uint8_t {
    kAppend = 1,     // batches from `offset` up to `next`
    kCut = 2,        // everything from `offset` on is void, and about to go
    kStartOver = 3,  // everything is; the log will start at `offset`
    kRemoved = 4,    // the log is gone
    kCreated = 5,    // a new, empty log; `payload` is the topic's name
    kAllSynced = 6,  // the segments of all logs hold everything for good, and
                     // the checkpoint files tell it: nothing before counts
  };
  Kind kind = Kind::kAppend;
  JournalKey key;
  Offset offset = 0;
  Offset next = 0;
  std::string_view payload;  // batches, or a name
};

struct JournalFileHeader {
  uint64_t sequence = 0;
  uint64_t first_round = 0;
  uint64_t oldest = 0;
};

struct JournalRoundHeader {
  uint64_t sequence = 0;
  uint64_t round = 0;
  uint32_t crc = 0;
  uint32_t size = 0;
};

inline constexpr size_t kJournalBlock = io::File::kBlock;
inline constexpr uint64_t kJournalRoundsAt = 2 * kJournalBlock;
inline constexpr size_t kJournalRoundHeader = 28;
inline constexpr size_t kJournalRecordHeader = 41;

inline uint64_t JournalAlign(uint64_t at) {
  return (at + kJournalBlock - 1) / kJournalBlock * kJournalBlock;
}

std::string EncodeJournalFileHeader(const JournalFileHeader& header);
// nullopt: not a journal file, or torn.
std::optional<JournalFileHeader> DecodeJournalFileHeader(
    std::string_view bytes);

// `size` bytes of batches have to follow.
void AppendJournalRecordHeader(const JournalRecord& record, uint32_t size,
                               std::string* out);
// Fills in the header that `round` has room for in front of its records.
void SealJournalRound(uint64_t sequence, uint64_t number, std::string* round);
std::optional<JournalRoundHeader> DecodeJournalRoundHeader(
    std::string_view bytes);
// `round`: header and payload.
bool IsIntactJournalRound(std::string_view round);
// The next record, and takes it off. kCorruptMessage: not a record.
Result<JournalRecord> TakeJournalRecord(std::string_view* records);

// What the journal says about one log: how to get from what its segments hold
// to what was promised.
//
// Segments are synced behind the journal, so from the recovery point on they
// may hold less than was promised, or a torn batch: the appends fill that in.
// They never hold anything else: a cut is noted here, then done and synced,
// and only then does the log take batches again. So what a scan finds intact
// is right, and an append that begins where it ends goes on from there.
class JournalPlan {
 public:
  struct Append {
    Offset base = 0;
    Offset until = 0;  // batches from here on were cut later
    size_t file = 0;   // where the batches are
    uint64_t position = 0;
    uint32_t size = 0;
  };

  // In the order of the journal. `file`, `position`: of `record.payload`.
  void Apply(const JournalRecord& record, size_t file, uint64_t position);

  // Ascending; gaps are batches that the segments hold.
  const std::vector<Append>& appends() const { return appends_; }
  // What was promised: a work is taken only when everything in front of it is
  // safe.
  Offset promised() const {
    return appends_.empty() ? 0 : appends_.back().until;
  }
  // The recovery point and the log's start are not above, whatever checkpoint
  // files say: they may be of before a cut.
  Offset recovery_at_most() const { return recovery_at_most_; }
  Offset start_at_most() const { return start_at_most_; }
  // Where the log starts if there is nothing of it.
  std::optional<Offset> start_over() const { return start_over_; }
  // A cut may have been done, but not synced.
  bool cut() const { return cut_; }
  // The topic's name, if the log was made since.
  const std::string& created() const { return created_; }
  bool removed() const { return removed_; }

 private:
  void CutAppends(Offset from);

  std::vector<Append> appends_;
  Offset recovery_at_most_ = INT64_MAX;
  Offset start_at_most_ = INT64_MAX;
  std::optional<Offset> start_over_;
  bool cut_ = false;
  std::string created_;
  bool removed_ = false;
};

}  // namespace tidemark::log
