// The directory of one partition, whatever is in its files: it opens, takes
// nothing else down, serves what was synced only if it is as it was written,
// and goes on.

#include <glog/logging.h>

#include <algorithm>
#include <memory>

#include "broker/log/checkpoint.h"
#include "broker/log/log.h"
#include "broker/log/segment.h"
#include "common/record/batch_reader.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/logs.h"
#include "tests/fuzz/targets.h"
#include "tests/support/sim_disk.h"

namespace tidemark::fuzz {
namespace {

constexpr char kDir[] = "/data/t-0";

enum Flag : uint8_t {
  kClean = 1,
  kCompacted = 2,
  kRightChecksums = 4,  // of what is a batch but for that
  kPageCache = 8,
};

struct Start {
  uint8_t flags = 0;
  Offset recovery_point = 0;
  Offset start_offset = 0;
};

std::string Pack(const Start& start, const Files& files) {
  return static_cast<char>(start.flags) + PackNumber(start.recovery_point) +
         PackNumber(start.start_offset) + PackFiles(files);
}

log::OpenOptions OptionsFor(const Start& start,
                            std::shared_ptr<log::DirectoryHealth> health) {
  log::OpenOptions options;
  options.dir = kDir;
  options.partition = {"t", 0};
  options.config.segment_bytes = 2000;
  options.config.index_interval_bytes = 200;
  options.config.compacted = (start.flags & kCompacted) != 0;
  if (start.flags & kPageCache) options.config.flush_messages = INT64_MAX;
  options.clean = (start.flags & kClean) != 0;
  // As the checkpoint files have them: nothing else comes out of these.
  options.recovery_point =
      std::clamp<Offset>(start.recovery_point, 0, log::kMaxOffset);
  options.start_offset =
      std::clamp<Offset>(start.start_offset, 0, log::kMaxOffset);
  options.health = std::move(health);
  return options;
}

// The way of consumers: a slice, read when it is sent.
void ReadSlices(log::Log& log) {
  Offset next = log.start_offset();
  for (int i = 0; i < 50 && next < log.end_offset(); ++i) {
    auto slice = log.Find(next, INT64_MAX, 1500, 1);
    if (!slice || !*slice) return;
    const size_t size = (*slice)->size;
    log::SliceReader reader(std::move(**slice), {});
    std::string bytes(size, '\0');
    size_t read = 0;
    while (read < size) {
      const auto piece = reader.Read(bytes.data() + read, 100, true);
      if (!piece) return;
      CHECK(*piece && **piece > 0);
      read += **piece;
    }
    std::string_view rest = bytes;
    while (!rest.empty()) {
      const auto header = record::ParseAndVerifyBatch(rest);
      CHECK(header) << "a slice was served that is not right";
      rest.remove_prefix(header->FullSize());
      if (header->NextOffset() <= next) return;
      next = header->NextOffset();
    }
  }
}

// Everything behind the recovery point was looked at, and what was kept is
// right. Of a compacted log nothing may be left there but the offset where it
// goes on.
void CheckRecovered(log::Log& log, const Start& start, bool goes_on) {
  const bool compacted = (start.flags & kCompacted) != 0;
  if ((start.flags & kClean) || start.recovery_point >= log.end_offset()) {
    return;
  }
  for (const size_t at_once : {size_t{1} << 20, size_t{300}}) {
    const Offset right =
        ReadUntilWrong(log, start.recovery_point, at_once, compacted);
    if (right == log.end_offset()) continue;
    const auto rest = log.Read(right, INT64_MAX, at_once, true);
    CHECK(compacted && !goes_on && rest && rest->empty())
        << "recovered, but wrong at " << right << " of " << log.end_offset();
  }
}

// It leads from here on, in an epoch that its files may contradict.
void Use(log::Log& log, const Start& start) {
  constexpr LeaderEpoch kEpoch = 7;
  const Offset begin = log.end_offset();
  const bool contradicts = log.latest_epoch() > kEpoch;
  if (!log.AssignEpoch(kEpoch, begin)) return;
  for (const ProducerId producer : {-1, 1}) {
    const auto appended =
        log.AppendAsLeader(SomeRecords(0, 1, producer), kEpoch, kNow);
    if (!appended || appended->duplicate) continue;
    CHECK_EQ(appended->last_offset + 1, log.end_offset());
    const auto read = log.Read(appended->first_offset, INT64_MAX, 1, true);
    CHECK(read && record::ParseAndVerifyBatch(read->view()))
        << "what was just written is not there";
    if (start.recovery_point < begin && !contradicts) {
      CheckRecovered(log, start, true);
    }
  }
  for (const int64_t at : {int64_t{0}, kNow - 5, kNow, INT64_MAX}) {
    (void)log.FindByTimestamp(at);
  }
  (void)log.FindMaxTimestamp();
  for (const LeaderEpoch epoch : {0, 1, 2, 3, 7, INT32_MAX}) {
    (void)log.EndOffsetFor(epoch);
  }
  (void)log.EpochOfOffset(begin);
  const Offset middle =
      log.start_offset() + (log.end_offset() - log.start_offset()) / 2;
  if (start.flags & kPageCache) {
    (void)log.ApplyRetention(log.end_offset(), kNow * 2);
  } else {
    (void)log.AdvanceStartOffset(middle / 2);
  }
  (void)log.TruncateTo(std::max(middle, log.start_offset()));
}

void RunRecovery(std::string_view input) {
  Numbers numbers(&input);
  Start start;
  start.flags = numbers.Byte();
  start.recovery_point = numbers.Number();
  start.start_offset = numbers.Number();
  Files files = UnpackFiles(input);
  if (start.flags & kRightChecksums) {
    for (auto& [name, bytes] : files) {
      if (name.ends_with(".log")) CorrectChecksums(&bytes);
    }
  }
  sim::SimDisk disk(1);
  CHECK(disk.CreateDirectories(kDir));
  WriteFiles(disk, kDir, files);
  auto health = std::make_shared<log::DirectoryHealth>("/data");
  const log::OpenOptions options = OptionsFor(start, health);
  auto opened = log::OpenLog(disk, options, kNow);
  CHECK(!health->offline()) << "one partition's bytes took a directory away";
  CHECK(opened) << ToString(opened.error());
  log::Log& log = **opened;
  const bool compacted = options.config.compacted;
  CHECK_LE(0, log.start_offset());
  CHECK_LE(log.start_offset(), log.flushed_offset());
  CHECK_LE(log.flushed_offset(), log.end_offset());
  CheckRecovered(log, start, false);
  ReadSlices(log);
  Use(log, start);
  CHECK(!health->offline());
  // A log that was closed opens as it was, clean or not.
  const Offset begin = log.start_offset(), end = log.end_offset();
  // A scan also sees what is wrong in front of the log's start, and cuts there.
  const bool starts_a_segment = disk.Exists(
      std::string(kDir) + "/" + log::SegmentFileName(begin, ".log"));
  const bool right =
      starts_a_segment && ReadUntilWrong(log, 0, 1 << 20, compacted) == end;
  const auto point = log.RecoveryPoint();
  if (log.failed()) return;
  CHECK(point && log.Close());
  opened->reset();
  for (const bool clean : {true, false}) {
    log::OpenOptions again = options;
    again.clean = clean;
    again.start_offset = begin;
    again.recovery_point = end;
    const auto reopened = log::OpenLog(disk, again, kNow);
    CHECK(reopened) << ToString(reopened.error());
    if (!right) continue;
    CHECK_EQ((*reopened)->end_offset(), end) << "clean " << clean;
    CHECK_EQ((*reopened)->start_offset(), begin) << "clean " << clean;
    CHECK_EQ(ReadUntilWrong(**reopened, 0, 1 << 20, compacted), end)
        << "clean " << clean;
  }
}

// --- logs as they are written

Files MakeLog(int batches, int flags, bool close) {
  sim::SimDisk disk(1);
  CHECK(disk.CreateDirectories("/data"));
  Start start;
  start.flags = static_cast<uint8_t>(flags);
  log::OpenOptions options = OptionsFor(start, nullptr);
  options.topic_id = *Uuid::FromBytes("0123456789abcdef");
  auto log = log::OpenLog(disk, options, kNow).value();
  int sequence = 0;
  for (int i = 0; i < batches; ++i) {
    const LeaderEpoch epoch = i / 8;
    CHECK(log->AssignEpoch(epoch, log->end_offset()));
    const int count = 1 + i % 4;
    const ProducerId producer = i % 2 == 0 ? 1 : -1;
    CHECK(log->AppendAsLeader(
        SomeRecords(producer >= 0 ? sequence : i, count, producer), epoch,
        kNow));
    if (producer >= 0) sequence += count;
  }
  if (close) {
    CHECK(log->Close());
  } else {
    CHECK(log->RecoveryPoint());
  }
  return ReadFiles(disk, kDir);
}

std::vector<std::string> RecoveryCorpus() {
  std::vector<std::string> out;
  for (const int batches : {0, 1, 5, 40}) {
    for (const int flags :
         {0, int{kClean}, kClean | kPageCache, kCompacted | kRightChecksums,
          int{kRightChecksums}, kClean | kRightChecksums}) {
      const Files files =
          MakeLog(batches, flags & kPageCache, (flags & kClean) != 0);
      Start start;
      start.flags = static_cast<uint8_t>(flags);
      out.push_back(Pack(start, files));
      if (batches < 40) continue;
      start.recovery_point = 60;
      start.start_offset = 3;
      out.push_back(Pack(start, files));
    }
  }
  return out;
}

const Added kRecovery({"recovery", RunRecovery, RecoveryCorpus});

}  // namespace
}  // namespace tidemark::fuzz
