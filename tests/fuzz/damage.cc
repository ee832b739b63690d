// A power cut left what was promised in the journal only, and then the journal
// rots: bytes change, sectors are lost, blocks land in the wrong place. Either
// the directory is refused, or its logs hold what was promised, up to a state
// behind which no round of the journal is whole any more; and nothing else.

#include <glog/logging.h>

#include <algorithm>
#include <future>
#include <map>
#include <set>

#include "broker/log/journal_format.h"
#include "common/record/batch_reader.h"
#include "tests/fuzz/data_directory.h"
#include "tests/fuzz/logs.h"
#include "tests/fuzz/targets.h"

namespace tidemark::fuzz {
namespace {

constexpr size_t kMostEdits = 5;
constexpr size_t kSector = 512;
constexpr size_t kHeaderBytes = 40;  // of a file; the rest of the block is none

struct Round {
  size_t file = 0;  // of History::files
  uint64_t at = 0;
  size_t size = 0;  // but for what fills its last block up
  uint64_t number = 0;
  bool operator<(const Round& other) const { return number < other.number; }
};

// What each log held once the journal had so many rounds.
struct State {
  uint64_t rounds = 0;
  std::map<TopicPartition, std::string> logs;
};

struct History {
  Files files;  // of the directory, after the power cut
  std::vector<Round> rounds;
  std::vector<State> states;  // the last one is what was promised
};

Uuid TopicId() { return *Uuid::FromBytes("0123456789abcdef"); }

bool IsJournal(const std::string& name) { return name.starts_with("journal:"); }

std::vector<Round> RoundsIn(const Files& files) {
  std::vector<Round> rounds;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string_view bytes = files[i].second;
    if (!IsJournal(files[i].first)) continue;
    uint64_t at = log::kJournalRoundsAt;
    while (at < bytes.size()) {
      const auto header = log::DecodeJournalRoundHeader(bytes.substr(at));
      if (!header) break;
      const size_t size = log::kJournalRoundHeader + header->size;
      rounds.push_back({i, at, size, header->round});
      at = log::JournalAlign(at + size);
    }
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds;
}

std::string ContentOf(log::Log& log) {
  std::string content = PackNumber(log.start_offset());
  Offset next = log.start_offset();
  while (next < log.end_offset()) {
    const auto bytes = log.Read(next, INT64_MAX, 1 << 20, true);
    CHECK(bytes && !bytes->empty()) << "what was recovered cannot be read";
    content += bytes->view();
    std::string_view rest = bytes->view();
    while (!rest.empty()) {
      const auto header = record::ParseAndVerifyBatch(rest);
      CHECK(header) << "what was recovered is no batch";
      next = header->NextOffset();
      rest.remove_prefix(header->FullSize());
    }
  }
  return content;
}

// --- how it came about

class Writer {
 public:
  explicit Writer(uint64_t seed) : disk_(seed) {
    CHECK(disk_.CreateDirectories(kDataDir));
    CHECK(disk_.SyncDirectory("/"));
    manager_ = log::LogManager::Open(disk_, DataOptions(), kNow).value();
    logs_ = MakeLogs(*manager_);
    for (auto& log : logs_) Sync(*log);
    Remember();
  }

  void Append(size_t which, LeaderEpoch epoch, int count, ProducerId producer) {
    log::Log& log = *logs_[which];
    CHECK(log.AppendAsLeader(SomeRecords(sequence_, count, producer), epoch,
                             kNow));
    if (producer >= 0) sequence_ += count;
    Sync(log);
    Remember();
  }
  void Cut(size_t which, Offset to) {
    CHECK(logs_[which]->TruncateTo(to));
    Remember();
  }
  void StartOver(size_t which, Offset at) {
    CHECK(logs_[which]->TruncateFullyAndStartAt(at));
    Remember();
  }

  History Finish() {
    disk_.Crash();
    history_.files = ReadData(disk_);
    history_.rounds = RoundsIn(history_.files);
    CHECK(!history_.rounds.empty());
    return std::move(history_);
  }

 private:
  static void Sync(log::Log& log) {
    auto work = log.TakeSync();
    CHECK(work && work->mark && work->mark->syncer() != nullptr);
    std::promise<Status> done;
    work->mark->syncer()->Enqueue(
        *work, [&](Status status) { done.set_value(std::move(status)); });
    CHECK(done.get_future().get());
    log.Flushed(*work);
  }
  void Remember() {
    State state;
    const auto rounds = RoundsIn(ReadData(disk_));
    if (!rounds.empty()) state.rounds = rounds.back().number;
    for (auto& log : logs_) state.logs[log->partition()] = ContentOf(*log);
    history_.states.push_back(std::move(state));
  }

  sim::SimDisk disk_;
  std::unique_ptr<log::LogManager> manager_;
  std::vector<std::unique_ptr<log::Log>> logs_;
  int sequence_ = 16;
  History history_;
};

History Appended(uint64_t seed) {
  Writer writer(seed);
  for (int i = 0; i < 4; ++i) {
    writer.Append(0, 2, 2, 5);
    writer.Append(1, 2, 1 + i, -1);
  }
  return writer.Finish();
}

History CutBetween(uint64_t seed) {
  Writer writer(seed);
  writer.Append(0, 2, 3, -1);
  writer.Append(1, 2, 3, -1);
  writer.Cut(0, 6);
  writer.StartOver(1, 100);
  for (const LeaderEpoch epoch : {9, 9, 11}) {
    writer.Append(0, epoch, 2, -1);
    writer.Append(1, epoch, 1, -1);
  }
  return writer.Finish();
}

// So much that one file does not hold it.
History OfSeveralFiles(uint64_t seed) {
  Writer writer(seed);
  for (int i = 0; i < 20; ++i) writer.Append(i % 2, 2, 1, -1);
  return writer.Finish();
}

const std::vector<History>& Histories() {
  static const std::vector<History> histories = [] {
    std::vector<History> all;
    for (const uint64_t seed : {1, 2, 3}) {
      all.push_back(Appended(seed));
      all.push_back(CutBetween(seed));
    }
    all.push_back(OfSeveralFiles(4));
    return all;
  }();
  return histories;
}

// --- what happens to it

enum class Edit : uint8_t { kByte, kHeaderByte, kSector, kBlock, kShorter };
constexpr int kEdits = 5;

void Rot(Numbers* numbers, const History& history, Files* files) {
  const auto number = [&](size_t below) {
    const size_t high = numbers->Byte();
    return (high << 8 | numbers->Byte()) % below;
  };
  const auto edit = static_cast<Edit>(numbers->Byte() % kEdits);
  const Round& round = history.rounds[number(history.rounds.size())];
  std::string& bytes = (*files)[round.file].second;
  const size_t at = round.at + number(round.size);
  if (at >= bytes.size()) return;
  switch (edit) {
    case Edit::kByte:
      bytes[at] = static_cast<char>(numbers->Byte());
      return;
    case Edit::kHeaderByte:
      bytes[number(2) * log::kJournalBlock + number(kHeaderBytes)] ^=
          static_cast<char>(1 + numbers->Byte() % 255);
      return;
    case Edit::kSector: {
      const size_t begin = at / kSector * kSector;
      const size_t end = std::min(begin + kSector, bytes.size());
      std::fill(bytes.begin() + static_cast<ptrdiff_t>(begin),
                bytes.begin() + static_cast<ptrdiff_t>(end), '\0');
      return;
    }
    case Edit::kBlock: {
      const Round& other = history.rounds[number(history.rounds.size())];
      const std::string block =
          history.files[other.file].second.substr(other.at, log::kJournalBlock);
      bytes.replace(round.at, block.size(), block);
      return;
    }
    case Edit::kShorter:
      bytes.resize(at);
      return;
  }
}

bool SameBytes(const std::string& one, const std::string& two, size_t at,
               size_t size) {
  return one.size() >= at + size && two.size() >= at + size &&
         std::string_view(one).substr(at, size) ==
             std::string_view(two).substr(at, size);
}

struct Verdict {
  uint64_t whole = 0;  // behind that one no round is whole
  bool torn = true;    // no more than the last round is hit, as by a power cut
};

Verdict Judge(const History& history, const Files& files) {
  Verdict verdict;
  std::set<size_t> journals;
  for (const Round& round : history.rounds) {
    journals.insert(round.file);
    const bool whole =
        SameBytes(history.files[round.file].second, files[round.file].second,
                  round.at, round.size);
    if (whole) verdict.whole = round.number;
    verdict.torn &= whole || round.number == history.rounds.back().number;
  }
  for (const size_t file : journals) {
    verdict.torn &= SameBytes(history.files[file].second, files[file].second, 0,
                              log::kJournalRoundsAt);
  }
  return verdict;
}

void CheckLogs(log::LogManager& manager, const History& history,
               const Verdict& verdict) {
  auto first = std::find_if(
      history.states.rbegin(), history.states.rend(),
      [&](const State& state) { return state.rounds <= verdict.whole; });
  if (first == history.states.rend()) return;  // not all logs were made then
  for (const auto& [partition, last] : history.states.back().logs) {
    auto log = manager.GetOrCreate(partition, TopicId(), DataOptions().config,
                                   false, kNow);
    CHECK(log) << ToString(log.error());
    const std::string content = ContentOf(**log);
    const bool known = std::any_of(history.states.rbegin(), first + 1,
                                   [&](const State& state) {
                                     return state.logs.at(partition) == content;
                                   });
    CHECK(known) << ToString(partition) << " ends at " << (*log)->end_offset()
                 << " and is nothing that was promised from round "
                 << verdict.whole << " on";
  }
}

void RunDamage(std::string_view input) {
  Numbers numbers(&input);
  const auto& histories = Histories();
  const History& history = histories[numbers.Byte() % histories.size()];
  Files files = history.files;
  for (size_t edits = numbers.Byte() % (kMostEdits + 1); edits > 0; --edits) {
    Rot(&numbers, history, &files);
  }
  const Verdict verdict = Judge(history, files);
  sim::SimDisk disk(1);
  CHECK(disk.CreateDirectories(kDataDir));
  WriteData(disk, files, true);
  // Twice: a killed process leaves the next one no less.
  for (int i = 0; i < 2; ++i) {
    const auto opened = log::LogManager::Open(disk, DataOptions(), kNow);
    const bool usable = opened && (*opened)->OfflineDirectories().empty();
    if (verdict.torn) CHECK(usable) << "a torn round is no damage";
    if (!usable) return;
    CheckLogs(**opened, history, verdict);
  }
}

std::vector<std::string> DamageCorpus() {
  std::vector<std::string> out;
  for (size_t history = 0; history < Histories().size(); ++history) {
    const std::string begin(1, static_cast<char>(history));
    out.push_back(begin + '\0');
    for (char edit = 0; edit < kEdits; ++edit) {
      for (const char round : {0, 1, 3, 7}) {
        const std::string one = {edit, 0, round, 0, 40, 0, 12, 1};
        out.push_back(begin + '\1' + one);
        out.push_back(begin + '\2' + one + std::string({1, 0, 9, 0, 4, 0, 8}));
      }
    }
  }
  return out;
}

const Added kDamage({"damage", RunDamage, DamageCorpus});

}  // namespace
}  // namespace tidemark::fuzz
