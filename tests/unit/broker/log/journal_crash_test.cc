// Random work on the logs of one directory with a journal, on a disk that dies
// at a random operation, in recovery as well, and loses what was not synced:
// sectors lost, torn, out of order. Whatever was reported as flushed is there
// with the same bytes, and what is there beyond it was written once.
#include <map>
#include <random>

#include "broker/log/log_directory.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

constexpr char kPath[] = "/d";

struct Model {
  std::vector<std::pair<Offset, std::string>> batches;
};

struct Subject {
  TopicPartition partition;
  Model model;
  std::vector<Model> undone;  // what a crash may bring back
  Offset promised = 0;
  LeaderEpoch epoch = 0;
  Uuid id;
  bool created = false;  // it was reported to be there for good
  LogConfig config;
  std::unique_ptr<Log> log;
  std::optional<SyncWork> work;  // not handed back
};

class JournalCrashTest : public testing::TestWithParam<int> {
 protected:
  JournalCrashTest()
      : seed_(static_cast<uint64_t>(GetParam())), random_(seed_), disk_(seed_) {
    options_.threads = false;
    options_.journal.in_place_bytes = 300 + Below(2000);
    options_.journal.journal.file_bytes = 16384 + 4096 * Below(12);
    options_.journal.journal.max_files = 1 + Below(4);
    config_.segment_bytes = 700 + static_cast<int64_t>(Below(5000));
    config_.index_interval_bytes = 150;
    config_.retention_ms = -1;
    subjects_.resize(1 + Below(5));
    for (size_t i = 0; i < subjects_.size(); ++i) {
      subjects_[i].partition = {"t", static_cast<PartitionIndex>(i)};
      subjects_[i].id = NewId();
      subjects_[i].config = config_;
      if (Below(6) == 0) subjects_[i].config.flush_messages = INT64_MAX;
      // What others have compacted is copied with gaps.
      subjects_[i].config.compacted = Below(3) == 0;
    }
    options_.on_created = [this](const TopicPartition& partition,
                                 const Uuid& id, const std::string&) {
      Subject& subject = subjects_[static_cast<size_t>(partition.partition)];
      if (subject.id == id) subject.created = true;
    };
  }
  Uuid NewId() {
    Uuid id;
    for (auto& byte : id.bytes) byte = static_cast<uint8_t>(Below(256));
    return id;
  }
  uint64_t Below(uint64_t n) { return random_() % n; }

  bool Start();
  void Check(Subject& subject);
  bool Open(Subject& subject, bool fresh);
  void Work();
  void Append(Subject& subject);
  void Round();
  void Settle();
  void Cut(Subject& subject);
  void Remove(Subject& subject);
  void Promised(Subject& subject);
  bool InPlace(Subject& subject);
  void Fail();
  void Stop();

  const uint64_t seed_;
  std::mt19937_64 random_;
  sim::SimDisk disk_;
  LogDirectory::Options options_;
  LogConfig config_;
  bool failed_sync_ = false;
  std::vector<Subject> subjects_;
  std::unique_ptr<LogDirectory> directory_;
};

bool JournalCrashTest::Open(Subject& subject, bool fresh) {
  auto log = directory_->OpenLog(subject.partition, subject.id, subject.config,
                                 fresh, kNow);
  if (log) subject.log = std::move(*log);
  EXPECT_TRUE(log || disk_.dead() || directory_->health().offline())
      << ToString(log.error());
  return log.has_value();
}

// False: the disk died meanwhile.
bool JournalCrashTest::Start() {
  directory_ = std::make_unique<LogDirectory>(
      disk_, kPath, std::make_shared<DirectoryHealth>(kPath), options_);
  if (const Status read = directory_->Read(); !read) {
    EXPECT_TRUE(disk_.dead()) << ToString(read.error());
    return false;
  }
  if (!directory_->Begin()) return false;
  std::vector<Log*> logs;
  for (Subject& subject : subjects_) {
    const auto& found = directory_->found();
    if (std::find(found.begin(), found.end(), subject.partition) ==
        found.end()) {
      EXPECT_EQ(subject.promised, 0) << "gone: " << ToString(subject.partition);
      EXPECT_FALSE(subject.created) << ToString(subject.partition);
      continue;
    }
    auto log =
        directory_->OpenLog(subject.partition, Uuid(), config_, false, kNow);
    EXPECT_TRUE(log || disk_.dead()) << ToString(log.error());
    if (!log) return false;
    subject.log = std::move(*log);
    logs.push_back(subject.log.get());
  }
  directory_->StartJournal(logs, true);
  for (Subject& subject : subjects_) {
    if (!subject.log) {
      if (!Open(subject, true)) return false;
      continue;
    }
    const Uuid id = subject.log->topic_id();
    if (!id.IsZero() && id != subject.id) {
      // Of before it was removed, if nobody was told that it is made anew.
      EXPECT_FALSE(subject.created) << ToString(subject.partition);
      EXPECT_EQ(subject.promised, 0) << ToString(subject.partition);
      subject.log.reset();
      if (!directory_->RenameAway(subject.partition, "-stray")) return false;
      if (!Open(subject, true)) return false;
      continue;
    }
    const Status adopted = subject.log->AdoptTopicId(subject.id);
    EXPECT_TRUE(adopted || disk_.dead()) << ToString(adopted.error());
    if (!adopted) return false;
    subject.log->UpdateConfig(subject.config);
  }
  return true;
}

void JournalCrashTest::Check(Subject& subject) {
  Log& log = *subject.log;
  ASSERT_GE(log.end_offset(), subject.promised) << ToString(subject.partition);
  std::string bytes;
  for (Offset at = log.start_offset(); at < log.end_offset();) {
    auto part = log.Read(at, INT64_MAX, 1 << 20, true);
    ASSERT_TRUE(part);
    ASSERT_FALSE(part->empty()) << at;
    record::BatchIterator it(part->view());
    while (auto view = it.Next().value()) at = view->header.NextOffset();
    bytes += part->view();
  }
  bool found = false;
  std::vector<Model> all = subject.undone;
  all.push_back(subject.model);
  for (size_t i = all.size(); i-- > 0 && !found;) {
    const Model& model = all[i];
    std::string whole;
    for (const auto& [base, batch] : model.batches) {
      const auto header = record::ParseBatchHeader(batch).value();
      if (header.NextOffset() > log.start_offset()) whole += batch;
    }
    found = (!bytes.empty() || log.start_offset() == log.end_offset()) &&
            bytes == whole.substr(0, bytes.size());
    if (found) subject.model = model;
  }
  ASSERT_TRUE(found) << ToString(subject.partition) << " end "
                     << log.end_offset() << " promised " << subject.promised;
  auto& batches = subject.model.batches;
  while (!batches.empty() &&
         record::ParseBatchHeader(batches.back().second)->NextOffset() >
             log.end_offset()) {
    batches.pop_back();
  }
  // A log of the same id comes back as long as nothing was promised since.
  if (subject.created || subject.promised > 0) subject.undone.clear();
  // Epochs and producers are what the batches say.
  record::BatchIterator it(bytes);
  ProducerState producers;
  while (auto view = it.Next().value()) {
    ASSERT_EQ(log.EpochOfOffset(
                  std::max(view->header.base_offset, log.start_offset())),
              view->header.leader_epoch);
    producers.Apply(view->header);
  }
  const auto& known = static_cast<PartitionLog&>(log).producers().producers();
  for (const auto& [producer, state] : producers.producers()) {
    ASSERT_TRUE(known.contains(producer)) << producer;
    ASSERT_EQ(known.at(producer).last(), state.last());
  }
  for (const auto& [producer, state] : known) {
    ASSERT_TRUE(producers.producers().contains(producer) ||
                state.last().last_offset < log.start_offset())
        << producer;
  }
  if (subject.config.flush_messages == 1) {
    subject.promised = log.flushed_offset();
  }
  subject.epoch = std::max(subject.epoch, log.latest_epoch()) + 1;
}

void JournalCrashTest::Append(Subject& subject) {
  Log& log = *subject.log;
  record::BatchOptions options;
  options.base_offset = log.end_offset();
  if (subject.config.compacted && Below(3) == 0) {
    options.base_offset += static_cast<Offset>(1 + Below(5));
  }
  options.leader_epoch = subject.epoch;
  if (Below(2) == 0) {
    // Every batch of a producer of its own, so that none is out of order.
    options.producer_id = static_cast<ProducerId>(log.end_offset());
    options.producer_epoch = 0;
    options.base_sequence = 0;
  }
  const std::string batch = Batch(1 + static_cast<int>(Below(3)), kNow, options,
                                  Below(Below(10) == 0 ? 600 : 100));
  const Offset base = log.end_offset();
  const auto done = log.AppendAsFollower(batch);
  if (done || disk_.dead()) subject.model.batches.emplace_back(base, batch);
}

void JournalCrashTest::Promised(Subject& subject) {
  const Offset before = subject.log->flushed_offset();
  subject.log->Flushed(*std::exchange(subject.work, std::nullopt));
  const Offset now = subject.log->flushed_offset();
  if (now == before || subject.config.flush_messages != 1) return;
  subject.promised = now;
  subject.undone.clear();
}

// What a directory's threads do, at once or not at all.
void JournalCrashTest::Round() {
  std::vector<JournalRounds::Item> items;
  std::vector<Subject*> of;
  for (Subject& subject : subjects_) {
    if (Below(4) == 0 || !subject.log) continue;
    if (!subject.work) subject.work = subject.log->TakeSync();
    if (!subject.work) continue;
    if (!directory_->rounds().Takes(*subject.work)) {
      if (!InPlace(subject)) return;
      continue;
    }
    JournalRounds::Item item;
    item.work = *subject.work;
    items.push_back(std::move(item));
    of.push_back(&subject);
  }
  const Status ran = directory_->rounds().Run(items);
  if (!ran && !io::IsShortage(ran.error())) return Fail();
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].state == JournalRounds::State::kSafe) Promised(*of[i]);
    if (items[i].state == JournalRounds::State::kInPlace) {
      if (!InPlace(*of[i])) return;
    }
  }
  if (!ran) Settle();
}

bool JournalCrashTest::InPlace(Subject& subject) {
  if (!PerformSync(disk_, *subject.work)) {
    Fail();
    return false;
  }
  Promised(subject);
  return true;
}

// A directory whose disk has failed is not used any more.
void JournalCrashTest::Fail() {
  failed_sync_ |= !disk_.dead();
  disk_.FailSyncs("");
  disk_.DieAfter(0);
}

void JournalCrashTest::Settle() {
  auto ended = directory_->rounds().TakeEnded();
  if (!ended) return;
  if (!ended->Settle(disk_) || !directory_->WriteCheckpoints()) return Fail();
  directory_->rounds().Free(*ended);
}

void JournalCrashTest::Cut(Subject& subject) {
  Log& log = *subject.log;
  auto& batches = subject.model.batches;
  if (batches.size() < 4) return;
  // Works in progress may still be carried out, for nothing.
  if (Below(2) == 0) {
    subject.work.reset();
  }
  subject.undone.push_back(subject.model);
  if (Below(5) == 0) {
    const Offset to = log.end_offset() + static_cast<Offset>(Below(50));
    subject.promised = 0;
    batches.clear();
    (void)log.TruncateFullyAndStartAt(to);
  } else {
    const Offset to = batches[batches.size() - 1 - Below(3)].first;
    subject.promised = std::min(subject.promised, to);
    // Nothing was left there.
    if (to < log.start_offset()) subject.promised = 0;
    while (!batches.empty() && batches.back().first >= to) batches.pop_back();
    (void)log.TruncateTo(to);
  }
  // What comes instead is of another leader, whose epoch may be older than
  // that of what was cut, but is not the same.
  subject.epoch += 1 + static_cast<LeaderEpoch>(Below(2));
}

void JournalCrashTest::Remove(Subject& subject) {
  subject.log.reset();
  subject.work.reset();
  subject.undone.push_back(std::exchange(subject.model, {}));
  subject.promised = 0;
  subject.created = false;
  if (Below(2) == 0) subject.id = NewId();
  ++subject.epoch;
  if (!directory_->RenameAway(subject.partition, "-delete")) return;
  if (Below(2) == 0) (void)directory_->SyncNames();
  if (Below(4) != 0) (void)Open(subject, true);
}

void JournalCrashTest::Work() {
  for (int step = 0; step < 600 && !disk_.dead(); ++step) {
    if (directory_->health().offline()) return Fail();
    Subject& subject = subjects_[Below(subjects_.size())];
    if (!subject.log && (Below(8) != 0 || !Open(subject, true))) continue;
    const auto what = Below(100);
    if (what < 50) {
      Append(subject);
    } else if (what < 80) {
      Round();
    } else if (what < 86) {
      Settle();
    } else if (what < 89) {
      directory_->rounds().EndFile();
    } else if (what < 91) {
      (void)directory_->WriteCheckpoints();
    } else if (what < 95) {
      Cut(subject);
    } else if (what < 97) {
      (void)subject.log->AdvanceStartOffset(subject.log->start_offset() +
                                            static_cast<Offset>(Below(9)));
    } else if (what < 98) {
      Remove(subject);
    } else if (what < 99) {
      ++subject.epoch;
    } else if (Below(20) == 0) {
      constexpr const char* kPaths[] = {"journal", "/d", ".log", "t-"};
      disk_.FailSyncs(kPaths[Below(4)]);
    }
  }
}

void JournalCrashTest::Stop() {
  for (Subject& subject : subjects_) {
    subject.log.reset();
    subject.work.reset();
  }
  directory_.reset();
  disk_.FailSyncs("");
  if (!std::exchange(failed_sync_, false) && Below(3) == 0) {
    disk_.KillProcess();
  } else {
    disk_.Crash();
  }
}

TEST_P(JournalCrashTest, WhatWasFlushedIsThere) {
  for (int life = 0; life < 8; ++life) {
    // Recovery, killed again and again, comes to the same end.
    for (int deaths = 0;; ++deaths) {
      if (deaths < 5) disk_.DieAfter(static_cast<int64_t>(1 + Below(60)));
      const bool started = Start();
      if (HasFatalFailure() || HasNonfatalFailure()) return;
      if (started) break;
      ASSERT_TRUE(disk_.dead()) << "life " << life;
      Stop();
    }
    // The disk may have died in what was started last; then nothing is read.
    if (!disk_.dead()) {
      for (Subject& subject : subjects_) {
        if (!subject.log) continue;
        SCOPED_TRACE("life " + std::to_string(life));
        ASSERT_NO_FATAL_FAILURE(Check(subject));
      }
      disk_.DieAfter(static_cast<int64_t>(20 + Below(300)));
      Work();
    }
    Stop();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, JournalCrashTest, testing::Range(0, 1000));

}  // namespace
}  // namespace tidemark::log
