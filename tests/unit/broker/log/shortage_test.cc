// What runs out is not broken (D2): a full disk and a full descriptor table
// cost what is asked meanwhile, and nothing afterwards.
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "broker/log/log_manager.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

class ShortageTest : public LogTest {
 protected:
  ShortageTest() {
    options_.config.segment_bytes = 4000;
    options_.config.index_interval_bytes = 100;
    options_.health = std::make_shared<DirectoryHealth>("/data");
  }
  bool online() const { return !log_->failed() && !options_.health->offline(); }
  int64_t used() {
    const auto space = disk_.Space("/").value();
    return static_cast<int64_t>(space.total - space.free);
  }
  // Appends until it is refused; returns how many were taken.
  int AppendUntilRefused() {
    for (int i = 0;; ++i) {
      auto done = Append(Batch(2));
      if (done) continue;
      EXPECT_EQ(done.error().code, ErrorCode::kKafkaStorageError);
      return i;
    }
  }
};

TEST_F(ShortageTest, AFullDiskRefusesAppendsUntilThereIsRoom) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(Batch(2)));
  // Every number of bytes that may be left, so that every write is the one
  // that does not fit: batches, indexes, rolls, snapshots.
  std::string model = ReadAll();
  for (int64_t room = 0; room < 3000; room += 37) {
    disk_.SetCapacity(used() + room);
    const int taken = AppendUntilRefused();
    ASSERT_TRUE(online()) << room;
    EXPECT_FALSE(Append(Batch(2)));
    disk_.SetCapacity(-1);
    ASSERT_TRUE(Append(Batch(2))) << room;
    ASSERT_EQ(BaseOffsets(ReadAll()).size(),
              BaseOffsets(model).size() + taken + 1)
        << room;
    model = ReadAll();
    Flush();
    ASSERT_EQ(log_->flushed_offset(), log_->end_offset());
  }
  CrashAndReopen();
  EXPECT_TRUE(ReadAll() == model);
  ASSERT_TRUE(log_->Close());
  ASSERT_TRUE(Open(true));
  EXPECT_TRUE(ReadAll() == model);
}

TEST_F(ShortageTest, ABrokerStartsOnAFullDisk) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(Batch(2), i / 30));
  Flush();
  const std::string all = ReadAll();
  for (bool power_cut : {true, false}) {
    log_.reset();
    if (power_cut) {
      disk_.Crash();
    } else {
      disk_.KillProcess();
    }
    disk_.SetCapacity(used());
    ASSERT_TRUE(Open(false));
    EXPECT_TRUE(ReadAll() == all);
    EXPECT_EQ(log_->latest_epoch(), 3);
    EXPECT_FALSE(Append(Batch(2), 3));
    EXPECT_TRUE(online());
    disk_.SetCapacity(-1);
  }
  EXPECT_TRUE(Append(Batch(2), 3));
}

TEST_F(ShortageTest, WithoutDescriptorsNothingBreaks) {
  ASSERT_TRUE(Open());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(Batch(2)));
  Flush();
  const std::string all = ReadAll();
  Reopen();
  disk_.FailOpens(true);
  EXPECT_FALSE(Append(Batch(2)));
  EXPECT_EQ(log_->Read(0, 200, 1000, true).error().code,
            ErrorCode::kKafkaStorageError);
  EXPECT_FALSE(log_->FindByTimestamp(kNow));
  EXPECT_FALSE(log_->TruncateTo(150));
  EXPECT_FALSE(log_->TruncateFullyAndStartAt(500));
  EXPECT_TRUE(online());
  EXPECT_EQ(log_->end_offset(), 200);
  disk_.FailOpens(false);
  EXPECT_TRUE(ReadAll() == all);
  ASSERT_TRUE(log_->TruncateTo(150));
  ASSERT_TRUE(Append(Batch(2)));
  EXPECT_TRUE(ReadAll().starts_with(all.substr(0, all.size() / 2)));
}

TEST_F(ShortageTest, AFollowerCatchesUpAgain) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(0, 2, 1)));
  disk_.SetCapacity(used() + 20);
  EXPECT_EQ(log_->AppendAsFollower(LeaderBatch(2, 2, 1)).error().code,
            ErrorCode::kKafkaStorageError);
  EXPECT_TRUE(online());
  EXPECT_EQ(log_->end_offset(), 2);
  disk_.SetCapacity(-1);
  EXPECT_TRUE(log_->AppendAsFollower(LeaderBatch(2, 2, 1)));
}

TEST_F(ShortageTest, ProducersAreRefusedBeforeTheDiskIsFull) {
  ASSERT_TRUE(Open());
  ASSERT_TRUE(Append(Batch(2)));
  options_.health->NoteSpace(99, 100);
  EXPECT_EQ(Append(Batch(2)).error().code, ErrorCode::kKafkaStorageError);
  EXPECT_TRUE(online());
  EXPECT_TRUE(log_->AppendAsFollower(LeaderBatch(2, 2, 1))) << "catch-up";
  EXPECT_TRUE(log_->AppendFromCoordinator(Batch(2), 1, kNow));
  EXPECT_TRUE(log_->Read(0, 2, 1000, true));
  options_.health->NoteSpace(110, 100);
  EXPECT_FALSE(Append(Batch(2), 1)) << "not back and forth";
  options_.health->NoteSpace(125, 100);
  EXPECT_TRUE(Append(Batch(2), 1));
}

// Descriptors may run out before any of the files that a change needs.
class NarrowTest : public ShortageTest {
 protected:
  // Batches of two producers in several segments; producer 9 stands in the
  // older half only, so that a cut there has to look for it.
  void Fill() {
    log_.reset();
    ASSERT_TRUE(disk_.RemoveAll(kDir));
    ASSERT_TRUE(Open());
    for (int i = 0; i < 100; ++i) {
      const ProducerId id = i % 10 == 0 && i < 50 ? 9 : 7;
      ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(id, 2 * next_[id]++), 100)));
    }
    Flush();
    ASSERT_GE(CountFiles(".log"), 5u);
  }
  // `change` with so many descriptors, and again with all of them.
  void Narrowly(int64_t opens, const std::function<Status()>& change) {
    disk_.FailOpensAfter(opens);
    const Status done = change();
    EXPECT_TRUE(done || done.error().code == ErrorCode::kKafkaStorageError);
    EXPECT_TRUE(online()) << opens;
    // Neither housekeeping nor the syncs make it worse.
    EXPECT_TRUE(log_->ApplyRetention(0, kNow) || !done) << opens;
    (void)log_->TakeSync();
    disk_.FailOpens(false);
    ASSERT_TRUE(change()) << opens;
    ASSERT_TRUE(online()) << opens;
  }
  // Producers are as a log tells that has just been opened.
  void ExpectProducersOfTheLog() {
    Flush();
    const ProducerState before = impl().producers();
    CrashAndReopen();
    const auto& after = impl().producers().producers();
    ASSERT_EQ(before.producers().size(), after.size());
    for (const auto& [id, producer] : after) {
      EXPECT_EQ(before.producers().at(id).epoch, producer.epoch);
      EXPECT_EQ(before.producers().at(id).last(), producer.last());
    }
  }
  static constexpr int64_t kMostOpens = 40;

  std::map<ProducerId, int> next_;
};

TEST_F(NarrowTest, ATruncationIsTriedAgain) {
  for (const Offset to : {150, 41}) {
    for (int64_t opens = 0; opens < kMostOpens; ++opens) {
      SCOPED_TRACE(std::to_string(to) + " " + std::to_string(opens));
      next_.clear();
      Fill();
      const std::string model = ReadAll();
      Narrowly(opens, [&] { return log_->TruncateTo(to); });
      const std::string kept = ReadAll();
      ASSERT_TRUE(model.starts_with(kept));
      const Offset end = log_->end_offset();
      ASSERT_EQ(end, to & ~1);
      // The next of producer 7 follows on what is left of it.
      const int left = static_cast<int>(end / 2) - (end > 90 ? 5 : 2);
      EXPECT_EQ(
          Append(Batch(2, kNow, Idempotent(7, 2 * left + 2))).error().code,
          ErrorCode::kOutOfOrderSequenceNumber);
      EXPECT_TRUE(
          Append(Batch(2, kNow, Idempotent(7, 2 * left - 2), 100))->duplicate);
      EXPECT_FALSE(
          Append(Batch(2, kNow, Idempotent(7, 2 * left), 100))->duplicate);
      ExpectProducersOfTheLog();
      ASSERT_TRUE(ReadAll().starts_with(kept));
      ASSERT_EQ(log_->end_offset(), end + 2);
    }
  }
}

TEST_F(NarrowTest, StartingOverIsTriedAgain) {
  for (const Offset at : {0, 300}) {
    for (int64_t opens = 0; opens < 10; ++opens) {
      SCOPED_TRACE(std::to_string(at) + " " + std::to_string(opens));
      next_.clear();
      Fill();
      Narrowly(opens, [&] { return log_->TruncateFullyAndStartAt(at); });
      ASSERT_EQ(log_->start_offset(), at);
      ASSERT_EQ(log_->end_offset(), at);
      ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(at, 2, 1)));
      Flush();
      options_.start_offset = 0;
      CrashAndReopen();
      ASSERT_EQ(log_->start_offset(), at);
      ASSERT_EQ(log_->end_offset(), at + 2);
    }
  }
}

// As where a file system needs room to take names away. What is left of the log
// is a beginning of it, and goes on.
TEST_F(NarrowTest, ACutThatFindsNoRoomForNamesIsTriedAgain) {
  int failed = 0;
  for (const Offset to : {Offset{41}, Offset{150}, Offset{-1}}) {
    const auto cut = [&] {
      return to < 0 ? log_->TruncateFullyAndStartAt(300) : log_->TruncateTo(to);
    };
    for (int64_t names = 0; names < kMostOpens; ++names) {
      for (const bool goes_on : {true, false}) {
        SCOPED_TRACE(std::to_string(to) + " " + std::to_string(names));
        next_.clear();
        Fill();
        std::string model = ReadAll();
        disk_.FailNamesAfter(names);
        const Status done = cut();
        ASSERT_TRUE(done || done.error().code == ErrorCode::kKafkaStorageError);
        ASSERT_TRUE(online());
        if (!done) {
          ++failed;
          const std::string left = ReadAll();
          ASSERT_TRUE(model.starts_with(left));
          ASSERT_EQ(BaseOffsets(left).back() + 2, log_->end_offset());
          model = left;
          if (goes_on) {
            ASSERT_TRUE(Append(Batch(2, kNow, Idempotent(5, 0), 100)));
            model = ReadAll();
          }
          Flush();
          ASSERT_EQ(log_->flushed_offset(), log_->end_offset());
          disk_.FailNamesAfter(INT64_MAX);
          if (names % 2 == 0) {
            CrashAndReopen();
            // What was not to stay may come back where nothing else is.
            ASSERT_TRUE(goes_on ? ReadAll() == model
                                : ReadAll().starts_with(model));
          }
          ASSERT_TRUE(cut());
        }
        disk_.FailNamesAfter(INT64_MAX);
        const Offset end = to < 0 ? 300 : to & ~1;
        ASSERT_EQ(log_->end_offset(), end);
        ASSERT_TRUE(log_->AppendAsFollower(LeaderBatch(end, 2, 1)));
        ExpectProducersOfTheLog();
        ASSERT_EQ(log_->end_offset(), end + 2);
      }
    }
  }
  EXPECT_GT(failed, 30);
}

// Nobody appends between the cut and the end of the process.
TEST_F(NarrowTest, ACleanStopAfterAnUnfinishedCutKnowsItsProducers) {
  for (int64_t opens = 0; opens < kMostOpens; ++opens) {
    SCOPED_TRACE(opens);
    next_.clear();
    Fill();
    Narrowly(opens, [&] { return log_->TruncateTo(41); });
    Reopen();
    EXPECT_EQ(impl().producers().producers().at(9).last().last_sequence, 3);
  }
}

class RemovalTest : public testing::Test {
 protected:
  RemovalTest() {
    options_.dirs = {"/data"};
    options_.on_offline = [](const std::string& dir, const Error& why) {
      ADD_FAILURE() << dir << " is offline: " << why.message;
    };
    auto manager = LogManager::Open(disk_, options_, 0);
    CHECK(manager);
    manager_ = std::move(*manager);
  }
  Result<std::unique_ptr<Log>> Make(const Uuid& id) {
    return manager_->GetOrCreate(kName, id, {}, true, 0);
  }
  bool Trash() {
    const auto names = disk_.List("/data").value();
    for (const std::string& name : names) {
      if (name.ends_with("-delete") || name.ends_with("-stray")) return true;
    }
    return false;
  }
  static bool Soon(const std::function<bool()>& test) {
    for (int i = 0; i < 500 && !test(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return test();
  }
  const TopicPartition kName{"t", 0};
  const Uuid kOld = *Uuid::FromBytes("0123456789abcdef");
  const Uuid kNew = *Uuid::FromBytes("fedcba9876543210");

  sim::SimDisk disk_{5};
  LogManagerOptions options_;
  std::unique_ptr<LogManager> manager_;
};

TEST_F(RemovalTest, ALogForWhoseOtherNameThereIsNoRoomGoesWhenThereIs) {
  auto log = Make(kOld);
  ASSERT_TRUE(log);
  disk_.FailNamesAfter(0);
  EXPECT_EQ(manager_->DeleteLog(std::move(*log)).error().code,
            ErrorCode::kOutOfSpace);
  EXPECT_TRUE(disk_.Exists("/data/t-0"));
  EXPECT_EQ(Make(kNew).error().code, ErrorCode::kOutOfSpace)
      << "the name is not free";
  EXPECT_TRUE(manager_->OfflineDirectories().empty());
  disk_.FailNamesAfter(INT64_MAX);
  EXPECT_TRUE(Soon([&] { return !disk_.Exists("/data/t-0") && !Trash(); }));
  log = Make(kNew);
  ASSERT_TRUE(log);
  EXPECT_EQ((*log)->topic_id(), kNew);
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(std::move(*log));
  EXPECT_TRUE(manager_->ShutdownCleanly(std::move(logs), 7));
}

TEST_F(RemovalTest, WhatCannotBeRemovedNowIsRemovedLater) {
  auto log = Make(kOld);
  ASSERT_TRUE(log);
  disk_.FailNamesAfter(1);
  ASSERT_TRUE(manager_->DeleteLog(std::move(*log)));
  ASSERT_TRUE(Soon([&] { return disk_.refused_names() > 0; }));
  EXPECT_TRUE(Trash());
  disk_.FailNamesAfter(INT64_MAX);
  EXPECT_TRUE(Soon([&] { return !Trash(); }));
}

// Somebody has removed it by hand.
TEST_F(RemovalTest, ALogThatIsGoneAlreadyTakesNoDirectoryAlong) {
  auto log = Make(kOld);
  ASSERT_TRUE(log);
  ASSERT_TRUE(disk_.RemoveAll("/data/t-0"));
  EXPECT_TRUE(manager_->DeleteLog(std::move(*log)));
  EXPECT_TRUE(manager_->OfflineDirectories().empty());
  EXPECT_TRUE(Make(kNew));
}

TEST(ManagerShortageTest, ADirectoryThatCannotBeListedIsNotReplaced) {
  sim::SimDisk disk(5);
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  LogManagerOptions options;
  options.dirs = {"/a", "/b"};
  std::vector<TopicPartition> in_a;
  {
    auto manager = LogManager::Open(disk, options, kNow).value();
    std::vector<std::unique_ptr<Log>> logs;
    for (int i = 0; i < 4; ++i) {
      logs.push_back(
          manager->GetOrCreate({"t", i}, id, {}, true, kNow).value());
      ASSERT_TRUE(logs.back()->AppendAsLeader(Batch(1), 0, kNow));
      if (logs.back()->dir().starts_with("/a")) in_a.push_back({"t", i});
    }
    ASSERT_TRUE(manager->ShutdownCleanly(std::move(logs), 1));
  }
  ASSERT_EQ(in_a.size(), 2u);
  disk.FailReads("/a");
  {
    auto manager = LogManager::Open(disk, options, kNow).value();
    EXPECT_EQ(manager->OfflineDirectories(), std::vector<std::string>{"/a"});
    EXPECT_EQ(manager->GetOrCreate(in_a[0], id, {}, false, kNow).error().code,
              ErrorCode::kKafkaStorageError);
    EXPECT_TRUE(manager->GetOrCreate({"u", 0}, id, {}, true, kNow));
    for (int i = 0; i < 4; ++i) {
      const TopicPartition name{"t", i};
      if (std::count(in_a.begin(), in_a.end(), name) > 0) continue;
      EXPECT_EQ(
          manager->GetOrCreate(name, id, {}, false, kNow).value()->end_offset(),
          1);
    }
  }
  disk.FailReads("");
  auto manager = LogManager::Open(disk, options, kNow).value();
  EXPECT_EQ(
      manager->GetOrCreate(in_a[0], id, {}, false, kNow).value()->end_offset(),
      1);
}

// A start that finds no descriptors leaves everything to the next one, which
// need not recover what was closed cleanly.
TEST(ManagerShortageTest, AStartWithoutDescriptorsIsTriedAgain) {
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  LogManagerOptions options;
  options.dirs = {"/a", "/b"};
  options.load_threads = 1;
  options.directory.journal.journal.file_bytes = 64 << 10;
  int failed = 0, loaded_later = 0;
  for (int opens = 0; opens < 60; ++opens) {
    SCOPED_TRACE(opens);
    sim::SimDisk disk(5);
    {
      auto manager = LogManager::Open(disk, options, kNow).value();
      std::vector<std::unique_ptr<Log>> logs;
      for (int i = 0; i < 4; ++i) {
        logs.push_back(
            manager->GetOrCreate({"t", i}, id, {}, true, kNow).value());
        ASSERT_TRUE(logs.back()->AppendAsLeader(Batch(1), 0, kNow));
      }
      ASSERT_TRUE(manager->ShutdownCleanly(std::move(logs), 7));
    }
    disk.FailOpensAfter(opens);
    auto manager = LogManager::Open(disk, options, kNow);
    disk.FailOpens(false);
    if (!manager) {
      ++failed;
      ASSERT_EQ(manager.error().code, ErrorCode::kOutOfHandles);
      manager = LogManager::Open(disk, options, kNow);
      ASSERT_TRUE(manager);
    } else if ((*manager)->LoadedPartitions().size() < 4) {
      ++loaded_later;
    }
    EXPECT_TRUE((*manager)->OfflineDirectories().empty());
    // Reading both directories opens four files each. Only then, while the
    // markers are removed, this may be lost.
    if (opens < 8) {
      EXPECT_EQ((*manager)->previous_broker_epoch(), 7);
    }
    for (int i = 0; i < 4; ++i) {
      auto log = (*manager)->GetOrCreate({"t", i}, id, {}, false, kNow);
      ASSERT_TRUE(log);
      EXPECT_EQ((*log)->end_offset(), 1);
    }
    // A power cut brings no marker back.
    manager->reset();
    disk.Crash();
    EXPECT_EQ(
        LogManager::Open(disk, options, kNow).value()->previous_broker_epoch(),
        -1);
  }
  EXPECT_GT(failed, 0);
  EXPECT_GT(loaded_later, 0);
}

// What a power cut has taken of a segment is put back from the journal, and
// for that there has to be room.
TEST(ManagerShortageTest, AStartOnAFullDiskIsTriedAgain) {
  const TopicPartition name{"t", 0};
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  LogManagerOptions options;
  options.dirs = {"/a"};
  options.directory.journal.journal.file_bytes = 64 << 10;
  int late = 0;
  for (int64_t room = 0; room < 6000; room += 500) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE(std::to_string(room) + " " + std::to_string(seed));
      sim::SimDisk disk(seed);
      {
        auto manager = LogManager::Open(disk, options, kNow).value();
        auto log = manager->GetOrCreate(name, id, {}, true, kNow).value();
        for (int i = 0; i < 30; ++i) {
          ASSERT_TRUE(log->AppendAsLeader(Batch(1), 0, kNow));
        }
        auto work = log->TakeSync();
        std::promise<Status> done;
        work->mark->syncer()->Enqueue(
            *work, [&](Status status) { done.set_value(status); });
        ASSERT_TRUE(done.get_future().get());
      }
      disk.Crash();
      const auto space = disk.Space("/").value();
      disk.SetCapacity(static_cast<int64_t>(space.total - space.free) + room);
      auto manager = LogManager::Open(disk, options, kNow);
      disk.SetCapacity(-1);
      if (!manager) {
        ASSERT_EQ(manager.error().code, ErrorCode::kOutOfSpace);
        manager = LogManager::Open(disk, options, kNow);
        ASSERT_TRUE(manager);
      }
      late += (*manager)->LoadedPartitions().empty();
      EXPECT_TRUE((*manager)->OfflineDirectories().empty());
      auto log = (*manager)->GetOrCreate(name, id, {}, false, kNow);
      ASSERT_TRUE(log) << log.error().message;
      EXPECT_EQ((*log)->end_offset(), 30);
    }
  }
  EXPECT_GT(late, 0);
}

// B-30, also for a log that is not loaded with the others.
TEST(ManagerShortageTest, ALogThatIsLoadedLateMayHaveLostSomething) {
  sim::SimDisk disk(5);
  const TopicPartition name{"t", 0};
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  LogManagerOptions options;
  options.dirs = {"/a"};
  std::string file;
  {
    auto manager = LogManager::Open(disk, options, kNow).value();
    auto log = manager->GetOrCreate(name, id, {}, true, kNow).value();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(log->AppendAsLeader(Batch(1), 0, kNow));
    }
    ASSERT_TRUE(PerformSync(disk, *log->TakeSync()));
    manager->SetHighWatermarks({{name, 3}});
    file = log->dir() + "/00000000000000000000.log";
    const auto written = [&] {
      const auto offsets =
          ReadOffsets(disk, "/a/replication-offset-checkpoint");
      return offsets && offsets->contains(name);
    };
    for (int i = 0; i < 500 && !written(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(written());
  }
  disk.Crash();
  disk.FlipBit(file, Batch(1).size() + record::kMagicAt, 1);
  std::unique_ptr<LogManager> manager;
  for (int opens = 0; manager == nullptr; ++opens) {
    disk.FailOpensAfter(opens);
    auto opened = LogManager::Open(disk, options, kNow);
    if (opened) manager = std::move(*opened);
  }
  ASSERT_TRUE(manager->LoadedPartitions().empty());
  EXPECT_EQ(manager->LoadLate(name, kNow).error().code,
            ErrorCode::kOutOfHandles);
  disk.FailOpens(false);
  EXPECT_FALSE(manager->IsShortened(name)) << "nobody has seen it";
  ASSERT_TRUE(manager->LoadLate(name, kNow));
  EXPECT_TRUE(manager->IsShortened(name));
  EXPECT_EQ(
      manager->GetOrCreate(name, id, {}, false, kNow).value()->end_offset(), 1);
}

// Logs that were made for good.
class Created {
 public:
  std::function<void(const TopicPartition&, const Uuid&, const std::string&)>
  Counter() {
    return [this](const auto&...) {
      std::lock_guard lock(mutex_);
      ++count_;
      wake_.notify_one();
    };
  }
  int count() {
    std::lock_guard lock(mutex_);
    return count_;
  }
  bool Await(int count) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds(20),
                          [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  int count_ = 0;
};

// What the journal has of a log that is not there yet is kept. When it is full
// then, what is noted has no room; what needs none goes on.
TEST(DirectoryShortageTest, AJournalThatIsKeptHoldsUpNothingButWhatIsNoted) {
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  sim::SimDisk disk(5);
  ASSERT_TRUE(disk.CreateDirectories("/a"));
  Created created;
  LogDirectory::Options options;
  options.journal.journal.file_bytes = 64 << 10;
  options.journal.journal.max_files = 2;
  options.on_created = created.Counter();
  const auto open = [&](LogDirectory& dir, const TopicPartition& name) {
    return dir.OpenLog(name, id, {}, true, kNow).value();
  };
  const auto append = [](LogDirectory& dir, Log& log) {
    if (!log.AppendAsLeader(Batch(1), 0, kNow)) return false;
    auto work = log.TakeSync();
    auto done = std::make_shared<std::promise<Status>>();
    auto synced = done->get_future();
    dir.Enqueue(*work, [done](Status s) { done->set_value(std::move(s)); });
    if (synced.wait_for(std::chrono::seconds(20)) !=
        std::future_status::ready) {
      return false;
    }
    log.Flushed(*work);
    return true;
  };
  {
    LogDirectory dir(disk, "/a", std::make_shared<DirectoryHealth>("/a"),
                     options);
    ASSERT_TRUE(dir.Read() && dir.Begin() && dir.StartJournal({}, true));
    ASSERT_TRUE(append(dir, *open(dir, {"late", 0})));
  }
  LogDirectory dir(disk, "/a", std::make_shared<DirectoryHealth>("/a"),
                   options);
  ASSERT_TRUE(dir.Read() && dir.Begin() && dir.StartJournal({}, false));
  const auto log = open(dir, {"t", 0});
  ASSERT_TRUE(created.Await(2));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append(dir, *log));
  std::vector<std::unique_ptr<Log>> others;
  for (PartitionIndex i = 1; i <= 10; ++i) {
    others.push_back(open(dir, {"t", i}));
    ASSERT_TRUE(append(dir, *log)) << i;
  }
  EXPECT_LT(created.count(), 12);
  dir.AllOpened();
  EXPECT_TRUE(created.Await(12));
}

// What the journal has of it is kept, and nothing that came later is forgotten
// in between: a gap would be damage at the next start. Found by the simulator.
TEST(ManagerShortageTest, TheJournalIsKeptWholeForALogThatIsLoadedLate) {
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  LogManagerOptions options;
  options.dirs = {"/a"};
  options.load_threads = 1;
  options.directory.journal.journal.file_bytes = 64 << 10;
  Created created;
  options.directory.on_created = created.Counter();
  const auto append = [](Log& log) {
    ASSERT_TRUE(log.AppendAsLeader(Batch(1), 0, kNow));
    auto work = log.TakeSync();
    std::promise<Status> done;
    work->mark->syncer()->Enqueue(
        *work, [&](Status status) { done.set_value(std::move(status)); });
    ASSERT_TRUE(done.get_future().get());
    log.Flushed(*work);
  };
  for (const bool loaded : {false, true}) {
    SCOPED_TRACE(loaded);
    sim::SimDisk disk(5);
    {
      auto manager = LogManager::Open(disk, options, kNow).value();
      for (const PartitionIndex i : {0, 1}) {
        append(*manager->GetOrCreate({"t", i}, id, {}, true, kNow).value());
      }
    }
    std::unique_ptr<LogManager> manager;
    for (int opens = 0;; ++opens) {
      disk.FailOpensAfter(opens);
      auto opened = LogManager::Open(disk, options, kNow);
      if (opened && (*opened)->LoadedPartitions().size() == 1) {
        manager = std::move(*opened);
        break;
      }
    }
    disk.FailOpens(false);
    const TopicPartition early = manager->LoadedPartitions()[0].partition;
    const TopicPartition late{"t", 1 - early.partition};
    if (loaded) {
      ASSERT_TRUE(manager->LoadLate(late, kNow));
    }
    auto log = manager->GetOrCreate(early, id, {}, false, kNow).value();
    // Several times through all files.
    for (int i = 0; i < 400; ++i) append(*log);
    // What is noted of new logs finds room again, for the late one is there,
    // at the latest when the manager has looked for it.
    for (PartitionIndex i = 2; i < 12; ++i) {
      const int before = created.count();
      ASSERT_TRUE(manager->GetOrCreate({"t", i}, id, {}, true, kNow));
      ASSERT_TRUE(created.Await(before + 1)) << i;
    }
    const Offset end = log->end_offset();
    log.reset();
    manager.reset();
    manager = LogManager::Open(disk, options, kNow).value();
    ASSERT_TRUE(manager->OfflineDirectories().empty());
    EXPECT_EQ(
        manager->GetOrCreate(early, id, {}, false, kNow).value()->end_offset(),
        end);
    EXPECT_EQ(
        manager->GetOrCreate(late, id, {}, false, kNow).value()->end_offset(),
        1);
  }
}

// It may be nobody's any more: then nobody else asks for it, and the journal
// would be kept for it.
TEST(ManagerShortageTest, WhatFoundNoRoomIsLoadedThoughNobodyAsks) {
  sim::SimDisk disk(5);
  LogManagerOptions options;
  options.dirs = {"/a"};
  options.load_threads = 1;
  {
    auto manager = LogManager::Open(disk, options, kNow).value();
    for (const PartitionIndex i : {0, 1}) {
      ASSERT_TRUE(manager->GetOrCreate(
          {"t", i}, *Uuid::FromBytes("0123456789abcdef"), {}, true, kNow));
    }
  }
  std::unique_ptr<LogManager> manager;
  for (int opens = 0; manager == nullptr; ++opens) {
    disk.FailOpensAfter(opens);
    auto opened = LogManager::Open(disk, options, kNow);
    if (opened) manager = std::move(*opened);
  }
  ASSERT_LT(manager->LoadedPartitions().size(), 2u);
  disk.FailOpens(false);
  // Once more for what was under way, and still found nothing.
  for (int i = 0; i < 2; ++i) {
    manager->LoadMissing();
    manager->workers().Finish();
  }
  EXPECT_EQ(manager->LoadedPartitions().size(), 2u);
}

// It ended the process when it was tried again.
TEST(ManagerShortageTest, ALogWhoseIdFindsNoRoomIsStillThere) {
  sim::SimDisk disk(5);
  const TopicPartition name{"t", 0};
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  LogManagerOptions options;
  options.dirs = {"/a"};
  {
    auto manager = LogManager::Open(disk, options, kNow).value();
    std::vector<std::unique_ptr<Log>> logs;
    logs.push_back(manager->GetOrCreate(name, id, {}, true, kNow).value());
    ASSERT_TRUE(logs[0]->AppendAsLeader(Batch(1), 0, kNow));
    ASSERT_TRUE(manager->ShutdownCleanly(std::move(logs), 1));
  }
  ASSERT_TRUE(disk.Remove("/a/t-0/partition.metadata"));
  auto manager = LogManager::Open(disk, options, kNow).value();
  const auto space = disk.Space("/").value();
  disk.SetCapacity(static_cast<int64_t>(space.total - space.free));
  for (int i = 0; i < 2; ++i) {
    const auto log = manager->GetOrCreate(name, id, {}, false, kNow);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, ErrorCode::kKafkaStorageError);
  }
  disk.SetCapacity(-1);
  const auto log = manager->GetOrCreate(name, id, {}, false, kNow);
  ASSERT_TRUE(log);
  EXPECT_EQ((*log)->topic_id(), id);
  EXPECT_EQ((*log)->end_offset(), 1);
}

TEST(ManagerShortageTest, ALogThatFoundNoDescriptorsIsLoadedLater) {
  sim::SimDisk disk(5);
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  LogManagerOptions options;
  options.dirs = {"/a"};
  auto manager = LogManager::Open(disk, options, kNow).value();
  disk.FailOpens(true);
  EXPECT_EQ(manager->GetOrCreate({"t", 0}, id, {}, true, kNow).error().code,
            ErrorCode::kOutOfHandles);
  EXPECT_TRUE(manager->OfflineDirectories().empty());
  disk.FailOpens(false);
  EXPECT_TRUE(manager->GetOrCreate({"t", 0}, id, {}, true, kNow));
}

// The half of a batch that a full disk took was given back, but that may not be
// on the platter when the power goes; the segment has rolled meanwhile. What
// was synced behind it must stay.
TEST_F(ShortageTest, WhatAFullDiskTookCutsNothingAfterAPowerCut) {
  options_.config.segment_ms = 1000;
  ASSERT_TRUE(Open());
  for (int round = 0; round < 40; ++round) {
    const int64_t then = kNow + round * 10'000;
    ASSERT_TRUE(Append(Batch(1, then)));
    Flush();
    disk_.SetCapacity(used() + 3);
    EXPECT_FALSE(Append(Batch(1, then)));
    disk_.SetCapacity(-1);
    ASSERT_TRUE(Append(Batch(1, then + 5000))) << "in a new segment";
    Flush();
    const Offset end = log_->flushed_offset();
    CrashAndReopen();
    ASSERT_EQ(log_->end_offset(), end) << "round " << round;
  }
}

}  // namespace
}  // namespace tidemark::log
