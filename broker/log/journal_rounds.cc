#include "broker/log/journal_rounds.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "broker/log/log_syncer.h"

namespace tidemark::log {
namespace {

constexpr size_t kMostRoundBytes = 4 << 20;

JournalOptions WithRoomFor(JournalOptions options, size_t kept) {
  options.max_files = std::max<size_t>(options.max_files, 2) + kept;
  return options;
}

}  // namespace

void SyncedBehind::AddFiles(const std::vector<std::shared_ptr<io::File>>& files,
                            const std::vector<std::string>& directories) {
  for (const auto& file : files) {
    if (known_files_.insert(file.get()).second) files_.push_back(file);
  }
  for (const auto& directory : directories) {
    if (known_directories_.insert(directory).second) {
      directories_.push_back(directory);
    }
  }
}

void SyncedBehind::Add(const SyncWork& work) {
  if (!work.mark) return;
  AddFiles(work.files, work.directories);
  AddClaim({work.mark, work.generation, work.end_offset, work.change});
}

void SyncedBehind::Add(SyncedBehind later) {
  AddFiles(later.files_, later.directories_);
  for (const auto& [mark, claim] : later.claims_) AddClaim(claim);
  for (auto& path : later.journal_files_) AddJournalFile(std::move(path));
}

void SyncedBehind::AddClaim(const Claim& claim) {
  Claim& known = claims_[claim.mark.get()];
  if (!known.mark || known.generation < claim.generation) {
    known = claim;
  } else if (known.generation == claim.generation) {
    known.end = std::max(known.end, claim.end);
    known.change = std::max(known.change, claim.change);
  }
}

Status SyncedBehind::Settle(io::FileSystem& fs) {
  for (const auto& [key, claim] : claims_) claim.mark->WaitForCut();
  for (const auto& file : files_) TM_RETURN_IF_ERROR(file->Sync());
  for (const auto& directory : directories_) {
    TM_RETURN_IF_ERROR(SyncDirectoryIfThere(fs, directory));
  }
  for (const auto& [key, claim] : claims_) {
    claim.mark->Synced(claim.generation, claim.end, claim.change);
  }
  return {};
}

JournalRounds::JournalRounds(io::FileSystem& fs, std::string dir,
                             const JournalContents& earlier, bool kept,
                             Options options)
    : fs_(fs),
      options_(options),
      journal_(fs, std::move(dir), earlier,
               WithRoomFor(options.journal, kept ? earlier.files.size() : 0)),
      earlier_(!earlier.files.empty()) {
  if (earlier.files.empty()) return;
  SyncedBehind& before = kept ? kept_.emplace() : ended_.emplace_back();
  for (const auto& file : earlier.files) before.AddJournalFile(file.path);
}

void JournalRounds::Carry(const SyncWork& work) {
  std::lock_guard lock(mutex_);
  if (kept_) {
    kept_->Add(work);
  } else if (!ended_.empty()) {
    ended_.front().Add(work);
  }
}

bool JournalRounds::Release() {
  std::lock_guard lock(mutex_);
  if (!kept_) return false;
  ended_.push_front(std::move(*kept_));
  kept_.reset();
  return true;
}

bool JournalRounds::IsSmall(const SyncWork& work) const {
  return work.appended && work.appended->size < options_.in_place_bytes &&
         work.appended->size < round_bytes();
}

bool JournalRounds::Takes(const SyncWork& work) const {
  return work.mark && (IsSmall(work) || !work.mark->noted());
}

size_t JournalRounds::round_bytes() const {
  return std::min<size_t>(kMostRoundBytes, journal_.file_bytes() / 4);
}

uint64_t JournalRounds::Note(JournalRecord::Kind kind, JournalKey key,
                             Offset offset, std::string name, SyncWork work,
                             std::function<void()> safe) {
  NotedRecord noted;
  noted.record.kind = kind;
  noted.record.key = key;
  noted.record.offset = noted.record.next = offset;
  noted.name = std::move(name);
  noted.work = std::move(work);
  noted.safe = std::move(safe);
  std::lock_guard lock(mutex_);
  noted.number = ++noted_;
  notes_.push_back(std::move(noted));
  return noted_;
}

bool JournalRounds::Withdraw(uint64_t note) {
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(
      notes_.begin() + static_cast<ptrdiff_t>(taken_), notes_.end(),
      [&](const NotedRecord& noted) { return noted.number == note; });
  if (found == notes_.end()) return false;
  notes_.erase(found);
  return true;
}

bool JournalRounds::HasNotes() const {
  std::lock_guard lock(mutex_);
  return !notes_.empty();
}

// The batches are read back from the segment. The log may have been cut
// meanwhile and hold others there: its mark knows first, so asking it
// afterwards tells whether these are the ones.
Status JournalRounds::EncodeItem(Item& item, std::string* round) {
  const SyncWork& work = item.work;
  const size_t before = round->size();
  const SyncWork::Appended& appended = *work.appended;
  JournalRecord record;
  record.key = work.mark->key();
  record.offset = appended.base;
  record.next = work.end_offset;
  AppendJournalRecordHeader(record, static_cast<uint32_t>(appended.size),
                            round);
  const size_t at = round->size();
  round->resize(at + appended.size);
  TM_ASSIGN_OR_RETURN(const size_t read,
                      appended.file->ReadAt(appended.position,
                                            round->data() + at, appended.size));
  if (read != appended.size && work.mark->IsCurrent(work.generation)) {
    return Fail(ErrorCode::kKafkaStorageError,
                "a segment is shorter than what was appended to it");
  }
  if (work.mark->IsCurrent(work.generation)) return {};
  round->resize(before);
  item.state = State::kSafe;
  return {};
}

Status JournalRounds::Encode(std::vector<Item>& items, std::string* round) {
  for (Item& item : items) {
    if (item.state != State::kWaiting || !IsSmall(item.work)) continue;
    TM_RETURN_IF_ERROR(EncodeItem(item, round));
  }
  return {};
}

Status JournalRounds::NextFile() {
  TM_ASSIGN_OR_RETURN(std::string ended, journal_.NextFile());
  std::lock_guard lock(mutex_);
  if (!ended.empty()) current_.AddJournalFile(std::move(ended));
  if (!current_.empty()) {
    ended_.push_back(std::exchange(current_, SyncedBehind()));
  }
  dirty_ = false;
  full_ = false;
  return {};
}

// False: there is none.
Result<bool> JournalRounds::MakeRoom(size_t size) {
  if (journal_.Fits(size, false)) return true;
  if (journal_.IsEmpty()) return journal_.Fits(size, true);
  if (Status next = NextFile(); next) {
    return journal_.Fits(size, true);
  } else if (!io::IsShortage(next.error())) {
    return Fail(next.error());
  } else if (!std::exchange(full_, true)) {
    LOG(WARNING) << "journal full reason=" << next.error().message;
  }
  return false;
}

Status JournalRounds::Write(std::string* round) {
  TM_RETURN_IF_ERROR(journal_.Append(round));
  dirty_ = true;
  return {};
}

void JournalRounds::TakeNotes(size_t most, std::vector<NotedRecord>* noted) {
  std::lock_guard lock(mutex_);
  size_t bytes = 0;
  for (const NotedRecord& note : notes_) {
    bytes += kJournalRecordHeader + note.name.size();
    if (bytes > most && !noted->empty()) break;
    noted->push_back(note);
  }
  taken_ = noted->size();
}

void JournalRounds::NotesDone(const std::vector<NotedRecord>& noted) {
  {
    std::lock_guard lock(mutex_);
    for (const NotedRecord& note : noted) {
      current_.Add(note.work);
      notes_.pop_front();
    }
    taken_ = 0;
  }
  for (const NotedRecord& note : noted) {
    if (note.safe) note.safe();
  }
}

Status JournalRounds::RunNotes(size_t most, std::string* round,
                               std::vector<NotedRecord>* noted) {
  while (true) {
    noted->clear();
    round->assign(kJournalRoundHeader, '\0');
    TakeNotes(most, noted);
    for (const NotedRecord& note : *noted) {
      AppendJournalRecordHeader(note.record,
                                static_cast<uint32_t>(note.name.size()), round);
      *round += note.name;
    }
    // Few go with the items, many are rounds of their own before.
    if (round->size() < most / 2) return {};
    TM_ASSIGN_OR_RETURN(bool room, MakeRoom(round->size()));
    if (!room && !journal_.Fits(round->size(), true)) {
      return Fail(ErrorCode::kOutOfSpace, "the journal has no room");
    }
    TM_RETURN_IF_ERROR(Write(round));
    NotesDone(*noted);
  }
}

Status JournalRounds::Run(std::vector<Item>& items) {
  // What failed to be written or synced may be on disk or not (B-32).
  if (broken_) return Fail(*broken_);
  const Status ran = TryRun(items);
  if (!ran && !io::IsShortage(ran.error())) broken_ = ran.error();
  std::lock_guard lock(mutex_);
  taken_ = 0;
  return ran;
}

Status JournalRounds::TryRun(std::vector<Item>& items) {
  std::string round;
  std::vector<NotedRecord> noted;
  TM_RETURN_IF_ERROR(RunNotes(round_bytes(), &round, &noted));
  const size_t notes_end = round.size();
  TM_RETURN_IF_ERROR(Encode(items, &round));
  bool room = true;
  if (round.size() > kJournalRoundHeader) {
    TM_ASSIGN_OR_RETURN(room, MakeRoom(round.size()));
  }
  if (!room) {
    round.resize(notes_end);
    for (Item& item : items) {
      const bool waits = item.state == State::kWaiting;
      if (waits && item.work.mark->noted()) item.state = State::kInPlace;
    }
    if (!journal_.Fits(round.size(), true)) {
      return Fail(ErrorCode::kOutOfSpace, "the journal has no room");
    }
  }
  if (round.size() > kJournalRoundHeader) TM_RETURN_IF_ERROR(Write(&round));
  NotesDone(noted);
  std::lock_guard lock(mutex_);
  for (Item& item : items) {
    if (item.state != State::kWaiting) continue;
    item.state = room && IsSmall(item.work) ? State::kSafe : State::kInPlace;
    if (item.state == State::kSafe) current_.Add(item.work);
  }
  return {};
}

void JournalRounds::EndFile() {
  if (dirty_) (void)NextFile();
}

bool JournalRounds::HasEnded() const {
  std::lock_guard lock(mutex_);
  return !ended_.empty();
}

std::optional<SyncedBehind> JournalRounds::TakeEnded() {
  std::lock_guard lock(mutex_);
  if (ended_.empty()) return std::nullopt;
  SyncedBehind ended = std::move(ended_.front());
  for (size_t i = 1; i < ended_.size(); ++i) ended.Add(std::move(ended_[i]));
  ended_.clear();
  return ended;
}

void JournalRounds::Free(const SyncedBehind& settled) {
  for (const auto& path : settled.journal_files()) journal_.Free(path);
}

}  // namespace tidemark::log
