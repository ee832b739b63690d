// A directory whose journal says anything: it opens, or is offline and says
// why; what opens is used, closed and opened again.

#include <glog/logging.h>

#include <algorithm>
#include <future>
#include <map>

#include "broker/log/journal_format.h"
#include "tests/fuzz/data_directory.h"
#include "tests/fuzz/logs.h"
#include "tests/fuzz/targets.h"

namespace tidemark::fuzz {
namespace {

enum Flag : uint8_t {
  kRightChecksums = 1,  // of what is a round or a header but for that
};

constexpr size_t kFileBytes = 64 << 10;

bool IsJournal(const std::string& name) { return name.starts_with("journal:"); }

// Where a block begins with what looks like a round, as whoever has a bug
// would have written it.
void SealRounds(std::string* file) {
  for (size_t at = log::kJournalRoundsAt;
       at + log::kJournalRoundHeader <= file->size();
       at += log::kJournalBlock) {
    const auto header =
        log::DecodeJournalRoundHeader(std::string_view(*file).substr(at));
    if (!header ||
        header->size > file->size() - at - log::kJournalRoundHeader) {
      continue;
    }
    std::string round =
        file->substr(at, log::kJournalRoundHeader + header->size);
    log::SealJournalRound(header->sequence, header->round, &round);
    std::copy(round.begin(), round.end(),
              file->begin() + static_cast<ptrdiff_t>(at));
  }
}

Files Unpack(std::string_view input) {
  Numbers numbers(&input);
  const uint8_t flags = numbers.Byte();
  Files files = UnpackFiles(input);
  for (auto& [name, bytes] : files) {
    if (!IsJournal(name)) continue;
    bytes.resize(kFileBytes);  // packed without its end of zeros
    if (flags & kRightChecksums) SealRounds(&bytes);
  }
  return files;
}

void RunJournal(std::string_view input) {
  sim::SimDisk disk(1);
  CHECK(disk.CreateDirectories(kDataDir));
  WriteData(disk, Unpack(input), true);
  {
    auto opened = log::LogManager::Open(disk, DataOptions(), kNow);
    if (!opened || !(*opened)->OfflineDirectories().empty()) return;
    Live(**opened);
  }
  auto again = log::LogManager::Open(disk, DataOptions(), kNow);
  CHECK(again) << ToString(again.error());
  CHECK((*again)->OfflineDirectories().empty());
}

void Sync(log::Log& log) {
  auto work = log.TakeSync();
  CHECK(work && work->mark && work->mark->syncer() != nullptr);
  std::promise<Status> done;
  work->mark->syncer()->Enqueue(
      *work, [&](Status status) { done.set_value(std::move(status)); });
  CHECK(done.get_future().get());
  log.Flushed(*work);
}

// Unspoiled, it gives back what was promised.
void CheckThatItHas(std::string_view input, const log::OffsetMap& ends) {
  sim::SimDisk disk(1);
  CHECK(disk.CreateDirectories(kDataDir));
  WriteData(disk, Unpack(input), true);
  auto manager = log::LogManager::Open(disk, DataOptions(), kNow);
  CHECK(manager);
  for (const auto& [partition, end] : ends) {
    auto log = (*manager)->GetOrCreate(
        partition, *Uuid::FromBytes("0123456789abcdef"), {}, false, kNow);
    CHECK(log);
    CHECK_EQ((*log)->end_offset(), end) << ToString(partition);
  }
}

// As a killed process leaves it: batches, cuts and a new beginning, some of it
// in the journal only.
std::vector<std::string> JournalCorpus() {
  std::vector<std::string> out;
  for (const bool cut : {false, true}) {
    sim::SimDisk disk(1);
    CHECK(disk.CreateDirectories(kDataDir));
    Files files;
    log::OffsetMap ends;
    {
      auto manager = log::LogManager::Open(disk, DataOptions(), kNow);
      CHECK(manager);
      auto logs = MakeLogs(**manager);
      for (const auto& log : logs) {
        Sync(*log);
        for (const int sequence : {16, 18, 20}) {
          CHECK(log->AppendAsLeader(SomeRecords(sequence, 2, 5), 2, kNow));
          Sync(*log);
        }
      }
      if (cut) {
        CHECK(logs[0]->TruncateTo(6));
        CHECK(logs[1]->TruncateFullyAndStartAt(100));
        // The first is synced in place, together with what the cut has made.
        for (const auto& log : logs) {
          for (const int sequence : {50, 53}) {
            CHECK(log->AppendAsLeader(SomeRecords(sequence, 3, -1), 9, kNow));
            Sync(*log);
          }
        }
      }
      for (const auto& log : logs) ends[log->partition()] = log->end_offset();
      files = ReadData(disk);
    }
    for (auto& [name, bytes] : files) {
      if (IsJournal(name)) bytes.resize(bytes.find_last_not_of('\0') + 1);
    }
    for (const uint8_t flags : {uint8_t{0}, uint8_t{kRightChecksums}}) {
      out.push_back(static_cast<char>(flags) + PackFiles(files));
    }
    // What was promised last is torn, and whole in the journal only.
    std::map<std::string, std::string*> newest;
    for (auto& [name, bytes] : files) {
      if (!name.ends_with(".log") || bytes.empty()) continue;
      newest[name.substr(0, name.find(':'))] = &bytes;
    }
    CHECK_EQ(newest.size(), ends.size());
    for (const auto& [dir, bytes] : newest) bytes->resize(bytes->size() - 20);
    out.push_back(static_cast<char>(kRightChecksums) + PackFiles(files));
    for (size_t i = out.size() - 3; i < out.size(); ++i) {
      CheckThatItHas(out[i], ends);
    }
  }
  return out;
}

const Added kJournal({"journal", RunJournal, JournalCorpus});

}  // namespace
}  // namespace tidemark::fuzz
