// A start that finds no room or no descriptors is tried again, or goes on
// without what it could not load, and loads it later; nothing is forgotten.
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "broker/log/log_manager.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {
namespace {

// Four of topic t, a record each.
std::vector<std::unique_ptr<Log>> MakeLogs(LogManager& manager,
                                           const Uuid& id) {
  std::vector<std::unique_ptr<Log>> logs;
  for (int i = 0; i < 4; ++i) {
    logs.push_back(manager.GetOrCreate({"t", i}, id, {}, true, kNow).value());
    EXPECT_TRUE(logs.back()->AppendAsLeader(Batch(1), 0, kNow));
  }
  return logs;
}

TEST(ManagerShortageTest, ADirectoryThatCannotBeListedIsNotReplaced) {
  sim::SimDisk disk(5);
  const Uuid id = *Uuid::FromBytes("0123456789abcdef");
  LogManagerOptions options;
  options.dirs = {"/a", "/b"};
  std::vector<TopicPartition> in_a;
  {
    auto manager = LogManager::Open(disk, options, kNow).value();
    std::vector<std::unique_ptr<Log>> logs = MakeLogs(*manager, id);
    for (const auto& log : logs) {
      if (log->dir().starts_with("/a")) in_a.push_back(log->partition());
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
      ASSERT_TRUE(manager->ShutdownCleanly(MakeLogs(*manager, id), 7));
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

}  // namespace
}  // namespace tidemark::log
