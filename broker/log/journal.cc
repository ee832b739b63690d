#include "broker/log/journal.h"

#include <glog/logging.h>

#include <algorithm>

#include "broker/log/checkpoint.h"

namespace tidemark::log {
namespace {

constexpr std::string_view kSuffix = ".journal";
// How far behind a torn round another one would begin.
constexpr uint64_t kLookBehind = 8 << 20;
constexpr size_t kLookWindow = 1 << 20;
// How far from its first one rounds are looked for that a header has lost.
constexpr uint64_t kLookAhead = 64 << 10;
constexpr uint64_t kZeros = 1 << 20;

std::string NameOf(uint64_t number) {
  std::string digits = std::to_string(number);
  return std::string(8 - std::min<size_t>(digits.size(), 8), '0') + digits +
         std::string(kSuffix);
}

// What walks the rounds of one file.
struct RoundReader {
  const io::File& file;
  uint64_t size = 0;
  uint64_t sequence = 0;
  uint64_t next_round = 0;
  uint64_t at = kJournalRoundsAt;  // of the next round
  std::string bytes;               // of the last one

  // False: this was the last one.
  Result<bool> Next() {
    TM_ASSIGN_OR_RETURN(const auto header, HeaderAt(at));
    if (!header || header->round != next_round) return false;
    TM_ASSIGN_OR_RETURN(const bool intact, ReadRound(at, *header));
    if (!intact) return false;
    at = JournalAlign(at + bytes.size());
    ++next_round;
    return true;
  }

  // Whether there is a round of this use of the file behind what ended it. A
  // round is written when the one before is synced, so that one was lost.
  Result<bool> IsFollowed() {
    TM_ASSIGN_OR_RETURN(
        const auto found, Find(kLookBehind, [&](const auto& header) {
          return header.sequence == sequence && header.round > next_round;
        }));
    return found.has_value();
  }

  // The last use of the file, if it is after the one its header tells of; else
  // 0. A header is synced before the first round is written, so it was lost.
  Result<uint64_t> LaterUse() {
    uint64_t later = 0;
    while (true) {
      TM_ASSIGN_OR_RETURN(const auto found,
                          Find(kLookAhead, [&](const auto& header) {
                            return header.sequence > std::max(sequence, later);
                          }));
      if (!found) return later;
      later = found->sequence;
    }
  }

 private:
  // The first intact round of that kind from `at` on, within `most` bytes.
  Result<std::optional<JournalRoundHeader>> Find(
      uint64_t most, const std::function<bool(const JournalRoundHeader&)>& is) {
    const uint64_t end = std::min(size, at + most);
    std::string window;
    for (uint64_t from = at; from < end; from += kLookWindow) {
      window.resize(std::min<uint64_t>(kLookWindow, end - from));
      TM_ASSIGN_OR_RETURN(const size_t read,
                          file.ReadAt(from, window.data(), window.size()));
      for (size_t i = 0; i + kJournalRoundHeader <= read; i += kJournalBlock) {
        const auto header =
            DecodeJournalRoundHeader(std::string_view(window).substr(i, read));
        if (!header || !is(*header)) continue;
        TM_ASSIGN_OR_RETURN(const bool intact, ReadRound(from + i, *header));
        if (intact) return header;
      }
    }
    return std::nullopt;
  }

  Result<std::optional<JournalRoundHeader>> HeaderAt(uint64_t position) const {
    char head[kJournalRoundHeader];
    TM_ASSIGN_OR_RETURN(size_t read, file.ReadAt(position, head, sizeof head));
    const auto header = DecodeJournalRoundHeader({head, read});
    if (!header || header->sequence != sequence) return std::nullopt;
    return header;
  }

  Result<bool> ReadRound(uint64_t position, const JournalRoundHeader& header) {
    if (position + kJournalRoundHeader > size ||
        header.size > size - position - kJournalRoundHeader) {
      return false;
    }
    bytes.resize(kJournalRoundHeader + header.size);
    TM_ASSIGN_OR_RETURN(const size_t read,
                        file.ReadAt(position, bytes.data(), bytes.size()));
    return read == bytes.size() && IsIntactJournalRound(bytes);
  }
};

struct FoundHeader {
  std::optional<JournalFileHeader> header;
  uint64_t next_at = 0;  // where that of the next use goes
};

Result<FoundHeader> ReadHeader(const io::File& file) {
  char head[kJournalRoundsAt];
  TM_ASSIGN_OR_RETURN(const size_t read, file.ReadAt(0, head, sizeof head));
  FoundHeader found;
  for (uint64_t at = 0; at < read; at += kJournalBlock) {
    const auto header =
        DecodeJournalFileHeader(std::string_view(head, read).substr(at));
    if (!header) continue;
    if (found.header && found.header->sequence > header->sequence) continue;
    found.header = header;
    found.next_at = at == 0 ? kJournalBlock : 0;
  }
  return found;
}

// Finds the last round of `file`; `each` gets every record and where its
// batches are. False: something that was there is missing.
Result<bool> WalkRounds(
    JournalContents::File& file,
    const std::function<void(const JournalRecord&, uint64_t)>& each) {
  TM_ASSIGN_OR_RETURN(const uint64_t size, file.open->Size());
  RoundReader rounds{*file.open, size, file.header.sequence,
                     file.header.first_round};
  while (true) {
    const uint64_t at = rounds.at;
    TM_ASSIGN_OR_RETURN(const bool more, rounds.Next());
    if (!more) break;
    std::string_view records(rounds.bytes);
    records.remove_prefix(kJournalRoundHeader);
    while (!records.empty()) {
      TM_ASSIGN_OR_RETURN(const auto record, TakeJournalRecord(&records));
      each(record, at + static_cast<uint64_t>(record.payload.data() -
                                              rounds.bytes.data()));
    }
    file.last_round = rounds.next_round - 1;
  }
  TM_ASSIGN_OR_RETURN(const bool followed, rounds.IsFollowed());
  return !followed;
}

struct Found {
  std::vector<JournalContents::File> files;  // newest first
  // The newest use of a file whose header is lost; 0: there is none.
  uint64_t newest_lost = 0;
};

// Every file of the journal in `dir` with a header.
Result<Found> FindFiles(io::FileSystem& fs, const std::string& dir,
                        JournalContents* contents) {
  TM_ASSIGN_OR_RETURN(auto names, fs.List(dir));
  Found all;
  for (const std::string& name : names) {
    if (!name.ends_with(kSuffix)) continue;
    const auto number = ParseNumber(
        std::string_view(name).substr(0, name.size() - kSuffix.size()));
    if (!number || *number < 0) continue;
    contents->next_name =
        std::max(contents->next_name, static_cast<uint64_t>(*number) + 1);
    const std::string path = dir + "/" + name;
    TM_ASSIGN_OR_RETURN(auto file, fs.Open(path, false));
    TM_ASSIGN_OR_RETURN(const auto found, ReadHeader(*file));
    TM_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    RoundReader rounds{*file, size, found.header ? found.header->sequence : 0};
    TM_ASSIGN_OR_RETURN(const uint64_t later, rounds.LaterUse());
    all.newest_lost = std::max(all.newest_lost, later);
    if (found.header) {
      all.files.push_back({path, *found.header, found.header->first_round - 1,
                           std::move(file)});
    } else {
      contents->unused.push_back(path);
    }
  }
  std::sort(all.files.begin(), all.files.end(),
            [](const auto& a, const auto& b) {
              return a.header.sequence > b.header.sequence;
            });
  return all;
}

Error Damaged(const std::string& dir, const std::string& what) {
  return {ErrorCode::kCorruptMessage,
          "the journal is damaged: " + what +
              "; what was acknowledged last may be missing here. Let another "
              "replica lead and replace the directory, or, if there is none, "
              "move " +
              dir + " away to start with what the logs hold"};
}

}  // namespace

Result<std::string> JournalContents::Read(
    const JournalPlan::Append& append) const {
  std::string bytes(append.size, '\0');
  TM_ASSIGN_OR_RETURN(const size_t read,
                      files[append.file].open->ReadAt(
                          append.position, bytes.data(), bytes.size()));
  bytes.resize(read);
  return bytes;
}

Result<JournalContents> ReadJournal(io::FileSystem& fs,
                                    const std::string& dir) {
  JournalContents contents;
  if (!fs.Exists(dir)) return contents;
  TM_ASSIGN_OR_RETURN(auto found, FindFiles(fs, dir, &contents));
  auto& all = found.files;
  // One of before would be missed below.
  if (found.newest_lost > (all.empty() ? 0 : all.front().header.sequence)) {
    return Fail(Damaged(dir, "the header of file number " +
                                 std::to_string(found.newest_lost) +
                                 " is lost"));
  }
  if (all.empty()) return contents;
  contents.next_sequence = all.front().header.sequence + 1;
  // From the newest back to the oldest that is needed.
  const uint64_t oldest = all.front().header.oldest;
  std::string damage;
  bool ended = false;  // nothing before counts
  for (auto& file : all) {
    const uint64_t sequence = file.header.sequence;
    if (ended || sequence < oldest) {
      contents.unused.push_back(file.path);
      continue;
    }
    TM_ASSIGN_OR_RETURN(
        bool whole,
        WalkRounds(file, [&](const JournalRecord& record, uint64_t) {
          ended |= record.kind == JournalRecord::Kind::kAllSynced;
        }));
    if (contents.files.empty()) {
      contents.next_round = file.last_round + 1;
    } else {
      const JournalFileHeader& newer = contents.files.back().header;
      whole = sequence + 1 == newer.sequence &&
              file.last_round + 1 == newer.first_round;
    }
    if (!whole) {
      return Fail(Damaged(dir, "rounds are missing behind number " +
                                   std::to_string(file.last_round) + " in " +
                                   file.path));
    }
    contents.files.push_back(std::move(file));
  }
  if (!ended && contents.files.back().header.sequence != oldest) {
    return Fail(
        Damaged(dir, "file number " + std::to_string(oldest) + " is missing"));
  }
  std::reverse(contents.files.begin(), contents.files.end());
  for (size_t i = 0; i < contents.files.size(); ++i) {
    TM_RETURN_IF_ERROR(WalkRounds(
        contents.files[i], [&](const JournalRecord& record, uint64_t position) {
          if (record.kind == JournalRecord::Kind::kAllSynced) {
            contents.plans.clear();
          } else {
            contents.plans[record.key].Apply(record, i, position);
          }
        }));
  }
  return contents;
}

Status SyncJournal(io::FileSystem& fs, const std::string& dir,
                   const JournalContents& contents) {
  if (contents.files.empty() && contents.unused.empty()) return {};
  for (const auto& file : contents.files) {
    TM_RETURN_IF_ERROR(file.open->Sync());
  }
  return fs.SyncDirectory(dir);
}

Journal::Journal(io::FileSystem& fs, std::string dir,
                 const JournalContents& contents, JournalOptions options)
    : fs_(fs),
      dir_(std::move(dir)),
      options_(options),
      sequence_(contents.next_sequence),
      round_(contents.next_round),
      name_(contents.next_name),
      count_(contents.files.size() + contents.unused.size()),
      free_(contents.unused.begin(), contents.unused.end()) {
  for (const auto& file : contents.files) {
    used_.push_back({file.header.sequence, file.path, false});
  }
}

bool Journal::Fits(size_t size, bool reserve) const {
  const uint64_t end =
      options_.file_bytes - (reserve ? 0 : options_.file_bytes / 8);
  return file_ != nullptr && JournalAlign(at_ + size) <= end;
}

Result<std::shared_ptr<io::File>> Journal::Make(const std::string& path) {
  TM_RETURN_IF_ERROR(fs_.CreateDirectories(dir_));
  TM_ASSIGN_OR_RETURN(auto file, fs_.Open(path, true));
  Status made = file->Reserve(options_.file_bytes);
  if (made) made = file->Sync();
  if (made) made = fs_.SyncDirectory(dir_);
  if (made) made = fs_.SyncDirectory(dir_.substr(0, dir_.rfind('/') + 1));
  if (!made) {
    (void)fs_.Remove(path);
    return Fail(made.error());
  }
  return file;
}

std::string Journal::NewPath() {
  std::lock_guard lock(mutex_);
  if (count_ >= options_.max_files) return {};
  ++count_;
  return dir_ + "/" + NameOf(name_++);
}

Result<std::shared_ptr<io::File>> Journal::MakeNew(std::string* path) {
  *path = NewPath();
  if (path->empty()) {
    return Fail(ErrorCode::kOutOfSpace, "every journal file is in use");
  }
  auto file = Make(*path);
  if (!file) {
    std::lock_guard lock(mutex_);
    --count_;
  }
  return file;
}

void Journal::MakeSpare() {
  {
    std::lock_guard lock(mutex_);
    if (!free_.empty()) return;
  }
  std::string path;
  auto file = MakeNew(&path);
  if (!file) return;
  const std::string zeros(kZeros, '\0');
  Status written;
  for (uint64_t at = 0; written && at < options_.file_bytes; at += kZeros) {
    const uint64_t left = options_.file_bytes - at;
    written = (*file)->WriteAt(at, std::string_view(zeros).substr(
                                       0, std::min<uint64_t>(left, kZeros)));
  }
  // The file is good for use as it is.
  if (written) (void)(*file)->Sync();
  Free(path);
}

Result<std::shared_ptr<io::File>> Journal::Reuse(const std::string& path) {
  TM_ASSIGN_OR_RETURN(auto file, fs_.Open(path, true));
  // It may be one of another size, from a crash while it was made.
  TM_RETURN_IF_ERROR(file->Reserve(options_.file_bytes));
  return file;
}

Result<std::string> Journal::NextFile() {
  std::string path;
  {
    std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      path = std::move(free_.front());
      free_.pop_front();
    }
  }
  std::shared_ptr<io::File> file;
  if (!path.empty()) {
    auto opened = Reuse(path);
    if (!opened) {
      if (!io::IsShortage(opened.error())) return Fail(opened.error());
      std::lock_guard lock(mutex_);
      free_.push_front(std::move(path));
      return Fail(opened.error());
    }
    file = std::move(*opened);
  } else {
    TM_ASSIGN_OR_RETURN(file, MakeNew(&path));
  }
  std::lock_guard lock(mutex_);
  JournalFileHeader header{sequence_, round_, sequence_};
  if (!used_.empty()) header.oldest = used_.front().sequence;
  const auto last = ReadHeader(*file);
  Status written =
      last ? file->WriteAt(last->next_at, EncodeJournalFileHeader(header))
           : Status(Fail(last.error()));
  // Before rounds take the place of those of its last use.
  if (written) written = file->Sync();
  if (!written) {
    free_.push_front(std::move(path));
    return Fail(written.error());
  }
  used_.push_back({sequence_++, path, false});
  file->BypassCache();
  at_ = kJournalRoundsAt;
  file_ = std::move(file);
  return std::exchange(path_, std::move(path));
}

Status Journal::Append(std::string* round) {
  CHECK(Fits(round->size(), true)) << path_;
  SealJournalRound(sequence_ - 1, round_, round);
  round->resize(JournalAlign(round->size()));
  TM_RETURN_IF_ERROR(file_->WriteAt(at_, *round));
  TM_RETURN_IF_ERROR(file_->Sync());
  at_ += round->size();
  ++round_;
  return {};
}

void Journal::Free(const std::string& path) {
  std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(used_.begin(), used_.end(),
                   [&](const Used& used) { return used.path == path; });
  if (found == used_.end()) return free_.push_back(path);
  found->free = true;
  // A gap in the history would be taken for damage, and what was cut in it
  // would come back.
  while (!used_.empty() && used_.front().free) {
    free_.push_back(std::move(used_.front().path));
    used_.pop_front();
  }
}

}  // namespace tidemark::log
