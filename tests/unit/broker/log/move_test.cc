// A log moves to another directory: at every step there is one log, and it has
// all that was acknowledged.
#include <gmock/gmock.h>

#include "broker/log/move_names.h"
#include "tests/unit/broker/log/log_manager_fixture.h"

namespace tidemark::log {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

const TopicPartition kLog{"t", 0};
const std::string kLogPath = "/t-0";

TEST(MoveNames, FoldersOfCopies) {
  const std::string name = NewFutureName({"a.b-c", 7});
  EXPECT_THAT(name, testing::MatchesRegex("a\\.b-c-7\\.[0-9a-f]+-future"));
  EXPECT_EQ(name.size(), std::string("a.b-c-7..-future").size() - 1 + 32);
  EXPECT_EQ(ParseFutureName(name), (TopicPartition{"a.b-c", 7}));
  EXPECT_NE(NewFutureName({"t", 0}), NewFutureName({"t", 0}));
  EXPECT_EQ(ParsePartitionDirectory(name), std::nullopt);
  const std::string hex(32, 'a');
  for (const std::string& bad :
       {std::string(), std::string("-future"), hex + "-future",
        "." + hex + "-future", "t." + hex + "-future", "t-0" + hex + "-future",
        "t-00." + hex + "-future", "t-0." + hex.substr(1) + "-future",
        "t-0." + hex.substr(1) + "g-future", "t-0." + hex + "-delete"}) {
    EXPECT_EQ(ParseFutureName(bad), std::nullopt) << bad;
  }
}

class MoveTest : public LogManagerTest {
 protected:
  // The directory that it is in, and the other one.
  static std::pair<std::string, std::string> EndsOf(const Log& log) {
    const std::string from = log.dir().substr(0, 2);
    return {from, from == "/a" ? "/b" : "/a"};
  }
  MoveTest() { config_.segment_bytes = 500; }

  // /a, as long as there is nothing else.
  std::unique_ptr<Log> Make(int batches) {
    auto log = manager_->GetOrCreate(kLog, id_, config_, true, kNow).value();
    EXPECT_TRUE(log->AssignEpoch(3, 0));
    Write(*log, batches, 3);
    return log;
  }
  std::unique_ptr<Log> Found() {
    EXPECT_TRUE(manager_->RemoveDoubles(kLog, id_));
    auto log = manager_->GetOrCreate(kLog, id_, config_, false, kNow);
    EXPECT_TRUE(log) << log.error().message;
    return log ? std::move(*log) : nullptr;
  }
  // As replication::ReplicaMover does it. Nothing: the disk is dead, and `log`
  // is what is left.
  Status Move(std::unique_ptr<Log>& log, const std::string& to) {
    TM_ASSIGN_OR_RETURN(std::string folder,
                        manager_->MakeFutureFolder(kLog, to));
    TM_ASSIGN_OR_RETURN(auto future,
                        manager_->OpenFuture(kLog, id_, to, folder, config_,
                                             log->start_offset(), kNow));
    while (future->end_offset() < log->end_offset()) {
      TM_ASSIGN_OR_RETURN(const auto batches, log->Read(future->end_offset(),
                                                        INT64_MAX, 300, true));
      TM_RETURN_IF_ERROR(future->AppendAsFollower(batches.view()));
      TM_RETURN_IF_ERROR(manager_->SyncFuture(*future));
    }
    TM_RETURN_IF_ERROR(future->Close());
    future = nullptr;
    auto copy = manager_->PutCopy(kLog, id_, to, &folder, config_,
                                  log->start_offset(), log->end_offset(), kNow);
    if (!copy) return Fail(copy.error());
    EXPECT_EQ((*copy)->flushed_offset(), log->end_offset());
    if (Status marked = manager_->MarkMoved(kLog); !marked) {
      *copy = nullptr;
      manager_->TakeBack(kLog, to);
      return marked;
    }
    manager_->NowIn(kLog, to);
    log.swap(*copy);
    manager_->RemoveOriginal(std::move(*copy), to);
    return {};
  }
  // Step 1.
  Result<std::unique_ptr<Log>> CopyTo(Log& log, const std::string& to) {
    TM_ASSIGN_OR_RETURN(std::string folder,
                        manager_->MakeFutureFolder(kLog, to));
    TM_ASSIGN_OR_RETURN(auto future,
                        manager_->OpenFuture(kLog, id_, to, folder, config_,
                                             log.start_offset(), kNow));
    TM_RETURN_IF_ERROR(future->AppendAsFollower(
        log.Read(log.start_offset(), INT64_MAX, 1 << 20, true)->view()));
    TM_RETURN_IF_ERROR(future->Close());
    future = nullptr;
    return manager_->PutCopy(kLog, id_, to, &folder, config_,
                             log.start_offset(), log.end_offset(), kNow);
  }
  // Another log of that directory meets an error.
  void Break(const std::string& dir) {
    const TopicPartition other{"u", 0};
    manager_->MakeIn(other, dir);
    disk_.FailSyncs(dir);
    (void)manager_->GetOrCreate(other, Uuid::Random(), config_, true, kNow);
    for (int i = 0; i < 500 && manager_->CheckUsable(dir); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    disk_.FailSyncs("");
    ASSERT_FALSE(manager_->CheckUsable(dir));
  }
  std::string Read(Log& log) {
    std::string all;
    Offset from = log.start_offset();
    while (from < log.end_offset()) {
      const auto batches = log.Read(from, INT64_MAX, 1 << 20, true).value();
      all += batches.view();
      record::BatchIterator it(batches.view());
      while (const auto batch = it.Next().value()) {
        from = batch->header.NextOffset();
      }
    }
    return all;
  }
  std::vector<std::string> Folders(const std::string& dir) {
    std::vector<std::string> folders;
    const auto names = disk_.List(dir).value();
    for (const std::string& name : names) {
      if (name.starts_with("t-0")) folders.push_back(name);
    }
    return folders;
  }
  void Reopen(bool power_cut) {
    // Nobody waits for a disk that is dead.
    manager_.reset();
    power_cut ? disk_.Crash() : disk_.KillProcess();
    Open();
  }

  const Uuid id_ = *Uuid::FromBytes("0123456789abcdef");
  LogConfig config_;
};

TEST_F(MoveTest, ALogIsAsItWasInAnotherDirectory) {
  Open();
  auto log = Make(20);
  ASSERT_TRUE(log->AdvanceStartOffset(7));
  ASSERT_EQ(log->dir(), "/a/t-0");
  const std::string before = Read(*log);
  ASSERT_TRUE(Move(log, "/b"));
  EXPECT_EQ(log->dir(), "/b/t-0");
  EXPECT_EQ(log->start_offset(), 7);
  EXPECT_EQ(log->latest_epoch(), 3);
  EXPECT_EQ(Read(*log), before);
  EXPECT_EQ(manager_->DirectoryOf(kLog), "/b");
  EXPECT_EQ(manager_->CheckpointedHighWatermark(kLog), 20);
  Write(*log, 5, 3);
  // And back, which is where it was.
  ASSERT_TRUE(Move(log, "/a"));
  Write(*log, 5, 3);
  const std::string after = Read(*log);
  EXPECT_EQ(log->end_offset(), 30);
  std::vector<std::unique_ptr<Log>> logs;
  logs.push_back(std::move(log));
  ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 5));
  Open();
  EXPECT_EQ(manager_->previous_broker_epoch(), 5);
  log = Found();
  EXPECT_EQ(log->start_offset(), 7);
  EXPECT_EQ(Read(*log), after);
  EXPECT_THAT(Folders("/a"), ElementsAre("t-0"));
  EXPECT_FALSE(disk_.Exists("/a/t-0/copy"));
  EXPECT_TRUE(manager_->UnfinishedMoves().empty());
}

class MoveCrashTest : public MoveTest,
                      public testing::WithParamInterface<bool> {};

// Also when the move had come to its end, and the log was written to.
TEST_P(MoveCrashTest, WhereverItDiesThereIsOneLogWithAllOfIt) {
  int moved = 0, anew = 0, steps = 0;
  for (int64_t at = 0;; ++at) {
    manager_.reset();
    disk_.Crash();
    for (const char* dir : {"/a", "/b"}) {
      ASSERT_TRUE(!disk_.Exists(dir) || disk_.RemoveAll(dir));
    }
    Open();
    auto log = Make(12);
    const std::string from = log->dir().substr(0, 2);
    const std::string to = from == "/a" ? "/b" : "/a";
    ASSERT_TRUE(log->AdvanceStartOffset(3));
    manager_->Checkpoint();
    Await(from + "/log-start-offset-checkpoint", kLog, 3);
    const std::string before = Read(*log);
    disk_.DieAfter(at);
    const Status done = Move(log, to);
    const bool lived = done && !disk_.dead();
    std::string after = before;
    if (lived) {
      disk_.DieAfter(INT64_MAX / 2);
      Write(*log, 2, 3);
      after = Read(*log);
    }
    log = nullptr;
    Reopen(GetParam());
    log = Found();
    ASSERT_NE(log, nullptr) << at;
    ASSERT_EQ(log->start_offset(), 3) << at;
    ASSERT_EQ(Read(*log), after) << at;
    ASSERT_EQ(log->latest_epoch(), 3) << at;
    Write(*log, 1, 4);
    const std::string now = log->dir().substr(0, 2);
    ASSERT_FALSE(disk_.Exists((now == "/a" ? "/b" : "/a") + kLogPath)) << at;
    ASSERT_FALSE(disk_.Exists(now + kLogPath + "/moved")) << at;
    (now == to ? moved : anew) += 1;
    if (now == from && at > 2) {
      // What was asked for goes on, unless its folder had no name yet.
      EXPECT_LE(manager_->UnfinishedMoves().size(), 1u);
      for (const auto& unfinished : manager_->UnfinishedMoves()) {
        EXPECT_EQ(unfinished.directory, to);
      }
    } else {
      EXPECT_TRUE(manager_->UnfinishedMoves().empty() || now == from) << at;
    }
    log = nullptr;
    ++steps;
    if (lived) break;
  }
  EXPECT_GT(steps, 40);
  EXPECT_GT(anew, 10);
  EXPECT_GT(moved, 2);
}
INSTANTIATE_TEST_SUITE_P(, MoveCrashTest, testing::Bool(), [](const auto& p) {
  return p.param ? "Power" : "Process";
});

// Nobody can tell whether the other went on.
TEST_F(MoveTest, OneWithAMarkIsNotUsedWhileTheOtherMayBeOutOfSight) {
  for (const std::string mark : {"copy", "moved"}) {
    Open();
    auto log = Make(5);
    const std::string in = log->dir().substr(0, 2);
    const std::string other = in == "/a" ? "/b" : "/a";
    const std::string before = Read(*log);
    std::vector<std::unique_ptr<Log>> logs;
    logs.push_back(std::move(log));
    ASSERT_TRUE(manager_->ShutdownCleanly(std::move(logs), 5));
    manager_ = nullptr;
    ASSERT_TRUE(disk_.Open(in + "/t-0/" + mark, true));
    options_.broken = {{other, {ErrorCode::kKafkaStorageError, "broken"}}};
    Open();
    EXPECT_EQ(
        manager_->GetOrCreate(kLog, id_, config_, false, kNow).error().code,
        ErrorCode::kKafkaStorageError)
        << mark;
    EXPECT_EQ(manager_->TakeFound(kLog, id_, config_), nullptr);
    manager_ = nullptr;
    options_.broken.clear();
    Open();
    log = Found();
    ASSERT_NE(log, nullptr) << mark;
    EXPECT_EQ(Read(*log), before);
    EXPECT_FALSE(disk_.Exists(in + "/t-0/" + mark));
    ASSERT_TRUE(manager_->DeleteLog(std::move(log)));
  }
}

// An original that could not be renamed, and whose copy has no mark any more.
TEST_F(MoveTest, WhatWasMovedDoesNotCountBesideALogWithoutAMark) {
  Open();
  auto log = Make(5);
  const auto [from, to] = EndsOf(*log);
  ASSERT_TRUE(CopyTo(*log, to));
  ASSERT_TRUE(manager_->MarkMoved(kLog));
  const std::string before = Read(*log);
  log = nullptr;
  manager_ = nullptr;
  ASSERT_TRUE(disk_.Remove(to + "/t-0/copy"));
  ASSERT_TRUE(disk_.SyncDirectory(to + "/t-0"));
  Reopen(true);
  EXPECT_THAT(offline_, testing::IsEmpty());
  log = Found();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->dir(), to + kLogPath);
  EXPECT_EQ(Read(*log), before);
  EXPECT_FALSE(disk_.Exists(from + kLogPath));
}

// Until nothing can bring the original back.
TEST_F(MoveTest, TheMarkStaysWhileTheOriginalMayStillBeThere) {
  Open();
  auto log = Make(5);
  const auto [from, to] = EndsOf(*log);
  auto copy = CopyTo(*log, to);
  ASSERT_TRUE(copy);
  ASSERT_TRUE(manager_->MarkMoved(kLog));
  manager_->NowIn(kLog, to);
  // It could not be renamed.
  EXPECT_TRUE(disk_.Exists(to + "/t-0/copy"));
  ASSERT_TRUE(manager_->EndMoveBefore(kLog));
  EXPECT_FALSE(disk_.Exists(to + "/t-0/copy"));
  EXPECT_FALSE(disk_.Exists(from + kLogPath));
}

TEST_F(MoveTest, TheMarkStaysWhileTheOriginalIsOutOfSight) {
  Open();
  auto log = Make(5);
  const auto [from, to] = EndsOf(*log);
  auto copy = CopyTo(*log, to);
  ASSERT_TRUE(copy);
  ASSERT_TRUE(manager_->MarkMoved(kLog));
  manager_->NowIn(kLog, to);
  Break(from);
  EXPECT_FALSE(manager_->EndMoveBefore(kLog));
  EXPECT_TRUE(disk_.Exists(to + "/t-0/copy"));
}

// Whether the mark is there nobody knows: the copy may be what counts.
TEST_F(MoveTest, ACopyStaysWhenTheOriginalsDirectoryBreaksUnderTheMark) {
  Open();
  auto log = Make(5);
  const auto [from, to] = EndsOf(*log);
  const std::string before = Read(*log);
  auto copy = CopyTo(*log, to);
  ASSERT_TRUE(copy);
  disk_.FailSyncs(from + "/t-0/moved");
  EXPECT_FALSE(manager_->MarkMoved(kLog));
  disk_.FailSyncs("");
  EXPECT_THAT(offline_, ElementsAre(from));
  copy->reset();
  manager_->TakeBack(kLog, to);
  EXPECT_TRUE(disk_.Exists(to + kLogPath));
  log = nullptr;
  offline_.clear();
  Reopen(true);
  log = Found();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(Read(*log), before);
}

TEST_F(MoveTest, AnOriginalStaysWhenTheDirectoryOfItsCopyBreaks) {
  Open();
  auto log = Make(5);
  const auto [from, to] = EndsOf(*log);
  auto copy = CopyTo(*log, to);
  ASSERT_TRUE(copy);
  ASSERT_TRUE(manager_->MarkMoved(kLog));
  manager_->NowIn(kLog, to);
  Break(to);
  manager_->RemoveOriginal(std::move(log), to);
  EXPECT_TRUE(disk_.Exists(from + kLogPath));
  EXPECT_TRUE(disk_.Exists(from + "/t-0/moved"));
}

// A copy that was given up, and could not be called otherwise any more.
TEST_F(MoveTest, AnOriginalWithoutAMarkGoesOnBesideItsCopy) {
  Open();
  auto log = Make(5);
  const auto [from, to] = EndsOf(*log);
  std::string folder = manager_->MakeFutureFolder(kLog, to).value();
  auto future = manager_->OpenFuture(kLog, id_, to, folder, config_, 0, kNow);
  ASSERT_TRUE(future);
  ASSERT_TRUE((*future)->AppendAsFollower(
      log->Read(0, INT64_MAX, 1 << 20, true)->view()));
  ASSERT_TRUE((*future)->Close());
  future->reset();
  ASSERT_TRUE(manager_->PutCopy(kLog, id_, to, &folder, config_, 0, 5, kNow));
  Write(*log, 2, 3);
  const std::string before = Read(*log);
  log = nullptr;
  Reopen(true);
  EXPECT_EQ(manager_->UnfinishedMoves().size(), 1u);
  log = Found();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->dir(), from + kLogPath);
  EXPECT_EQ(Read(*log), before);
}

TEST_F(MoveTest, ADirectoryThatBreaksUnderACopyLeavesTheOriginal) {
  Open();
  auto log = Make(5);
  const std::string to = log->dir().starts_with("/a") ? "/b" : "/a";
  const std::string before = Read(*log);
  disk_.FailSyncs(to + "/t-0.");
  EXPECT_EQ(Move(log, to).error().code, ErrorCode::kKafkaStorageError);
  disk_.FailSyncs("");
  EXPECT_THAT(offline_, ElementsAre(to));
  EXPECT_EQ(manager_->CheckUsable(to).error().code,
            ErrorCode::kKafkaStorageError);
  EXPECT_EQ(Read(*log), before);
  Write(*log, 1, 3);
  EXPECT_EQ(log->end_offset(), 6);
}

TEST_F(MoveTest, APartitionIsMadeWhereItWasAskedFor) {
  Open();
  EXPECT_EQ(manager_->CheckUsable("/c").error().code,
            ErrorCode::kLogDirNotFound);
  EXPECT_TRUE(manager_->CheckUsable("/b"));
  for (PartitionIndex i = 0; i < 6; ++i) {
    manager_->MakeIn({"u", i}, "/b");
    manager_->MakeIn({"u", i}, i < 3 ? "/a" : "/b");
  }
  for (PartitionIndex i = 0; i < 6; ++i) {
    EXPECT_EQ(Get({"u", i})->dir(),
              std::string(i < 3 ? "/a" : "/b") + "/u-" + std::to_string(i));
  }
}

TEST_F(MoveTest, FoldersOfCopiesAreFoundOnceEach) {
  ASSERT_TRUE(disk_.CreateDirectories("/a/" + NewFutureName({"u", 1})));
  ASSERT_TRUE(disk_.CreateDirectories("/b/" + NewFutureName({"u", 1})));
  ASSERT_TRUE(disk_.CreateDirectories("/b/" + NewFutureName({"u", 2})));
  Open();
  std::vector<std::pair<TopicPartition, std::string>> found;
  for (const auto& move : manager_->UnfinishedMoves()) {
    found.emplace_back(move.partition, move.directory);
  }
  EXPECT_THAT(found,
              UnorderedElementsAre(std::pair(TopicPartition{"u", 1}, "/a"),
                                   std::pair(TopicPartition{"u", 2}, "/b")));
}

}  // namespace
}  // namespace tidemark::log
