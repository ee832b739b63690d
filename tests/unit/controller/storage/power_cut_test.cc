// What the storage wrote is there after the power of its disk was cut: on
// tidemark-forgetfs, which keeps nothing that was not synced.
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "common/record/crc32c.h"
#include "controller/storage/keys.h"
#include "controller/storage/raft_storage.h"

namespace tidemark::storage {
namespace {

namespace fs = std::filesystem;
using raft::Entry;
using raft::HardState;

class PowerCutTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "power_cut_XXXXXX";
    at_ = ::mkdtemp(name.data());
    std::string program = Program();
    char* argv[] = {program.data(), at_.data(), nullptr};
    ASSERT_EQ(::posix_spawn(&disk_, argv[0], nullptr, nullptr, argv, environ),
              0);
    for (int i = 0; i < 1000 && !Mounted(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_TRUE(Mounted()) << "does /dev/fuse exist here?";
    directory_ = at_ + "/data";
  }
  void TearDown() override {
    ::kill(disk_, SIGTERM);  // unmounts
    ::waitpid(disk_, nullptr, 0);
    fs::remove(at_);
  }

  // Beside the other programs of this build.
  static std::string Program() {
    for (fs::path at = fs::read_symlink("/proc/self/exe"); at != at.root_path();
         at = at.parent_path()) {
      if (fs::path found = at / "bin/tidemark-forgetfs"; fs::exists(found))
        return found;
    }
    return "tidemark-forgetfs";
  }
  bool Mounted() const {
    struct stat inside, outside;
    return ::stat(at_.c_str(), &inside) == 0 &&
           ::stat(fs::path(at_).parent_path().c_str(), &outside) == 0 &&
           inside.st_dev != outside.st_dev;
  }

  // Runs `work` in a process of its own, which then dies as by kill -9.
  static void InProcess(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "see above";
  }
  // All that was not synced is gone, or each of its sectors and names with the
  // probability 1 - `kept`.
  void CutPower(double kept = 0, int seed = 1) {
    std::ofstream(at_ + "/.control") << "cut * " << seed << " " << kept;
  }

  void Format() {
    ASSERT_TRUE(io::FormatDirectory(directory_, "c1", 1, io::Use::kMetadata));
  }
  std::unique_ptr<RaftStorage> Open() {
    auto opened = RaftStorage::Open(directory_, "c1", 1);
    EXPECT_TRUE(opened) << ToString(opened.error());
    // Left open on purpose: a killed process closes nothing.
    return opened ? std::move(*opened) : nullptr;
  }
  // In the form of log_check.h.
  static std::string OneRecord(const std::string& data) {
    const std::string body = "\1" + data;
    const uint32_t crc = record::Crc32c(body);
    const uint32_t masked = (crc >> 15 | crc << 17) + 0xa282ead8u;
    std::string head;
    AppendFixed(&head, masked, 4);
    AppendFixed(&head, data.size(), 2);
    return head + body;
  }
  static void Write(RaftStorage& storage, const raft::Write& write) {
    const auto status = storage.Write({&write, 1});
    EXPECT_TRUE(status) << ToString(status.error());
  }

  pid_t disk_ = -1;
  std::string at_, directory_;
};

// A new database's own name must be synced as well: without it a voter comes
// back blank under its old identity and votes a second time.
TEST_F(PowerCutTest, FirstWritesOfANewDirectoryAreKept) {
  InProcess([&] {
    Format();
    auto* storage = Open().release();
    Write(*storage, {.hard_state = HardState{1, 3},
                     .entries = {Entry{1, 1, SharedBytes("a")}}});
  });
  CutPower();
  InProcess([&] {
    auto storage = Open();
    const auto stored = storage->Load();
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->hard_state, (HardState{1, 3}));
    EXPECT_EQ(stored->entries.size(), 1u);
  });
}

// What the process before left unsynced is read, and so acted on: it must be
// on the disk before anything that follows from it.
TEST_F(PowerCutTest, WhatOpenFindsIsKept) {
  InProcess([&] {
    Format();
    Write(*Open().release(), {.hard_state = HardState{1, 3}});
  });
  InProcess([&] {
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    const rocksdb::ColumnFamilyOptions family;
    ASSERT_TRUE(rocksdb::DB::Open({}, directory_ + "/raft",
                                  {{"default", family},
                                   {"raft_log", family},
                                   {"raft_state", family},
                                   {"snapshot", family}},
                                  &handles, &db)
                    .ok());
    // Term 2, no vote: a write whose sync did not come back.
    ASSERT_TRUE(db->Put({}, handles[2], "hard_state",
                        rocksdb::Slice("\2\0\0\0\0\0\0\0\377\377\377\377", 12))
                    .ok());
  });
  InProcess([&] {
    auto* storage = Open().release();
    EXPECT_EQ(storage->Load()->hard_state.term, 2u);
    Write(*storage, {.entries = {Entry{1, 2, SharedBytes("a")}}});
  });
  CutPower();
  InProcess([&] {
    const auto stored = Open()->Load();
    EXPECT_EQ(stored->hard_state.term, 2u);
    EXPECT_EQ(stored->entries.size(), 1u);
  });
}

// D-1: the last write, on its way when the power went, may be there in parts.
// That is no damage, and what was synced in front of it stays.
TEST_F(PowerCutTest, HalfOfTheLastWriteIsNoDamage) {
  InProcess([&] {
    Format();
    Open().release();
  });
  for (uint64_t round = 1; round <= 8; ++round) {
    InProcess([&] {
      Write(*Open().release(), {.hard_state = HardState{round, 3}});
      // The write after it in the newest log, as far as it got.
      std::string log;
      for (const auto& file : fs::directory_iterator(directory_ + "/raft")) {
        if (file.path().extension() == ".log")
          log = std::max(log, file.path().string());
      }
      std::ofstream(log, std::ios::binary | std::ios::app)
          << OneRecord(std::string(5000, 'x'));
    });
    CutPower(0.6, static_cast<int>(round));
    InProcess([&] {
      EXPECT_EQ(Open()->Load()->hard_state, (HardState{round, 3})) << round;
    });
  }
}

// A snapshot that was on its way when the power went is none, and no damage.
TEST_F(PowerCutTest, ASnapshotCountsWhenAllOfItIsThere) {
  InProcess([&] {
    Format();
    auto* storage = Open().release();
    Write(*storage, {.entries = {Entry{1, 1, SharedBytes("a")},
                                 Entry{2, 1, SharedBytes("b")}}});
    EXPECT_TRUE(storage->SaveSnapshot({{1, 1}, SharedBytes("one")}, 0));
    // With the log: nothing else is synced for it any more.
    Write(*storage, {.hard_state = HardState{1, 3}});
    (void)storage->StoreSnapshot({2, 1}, nullptr, [](const auto& add) {
      add(std::string(3 << 20, 'p'));
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    });
  });
  CutPower(0.5);
  const std::string whole(3 << 20, 'w');
  InProcess([&] {
    auto* storage = Open().release();
    EXPECT_EQ(storage->LoadSnapshot()->data.view(), "one");
    EXPECT_EQ(storage->Load()->entries.size(), 2u);
    const auto stored = storage->StoreSnapshot(
        {2, 1}, nullptr, [&](const auto& add) { add(whole); });
    EXPECT_TRUE(stored) << ToString(stored.error());
  });
  CutPower();
  InProcess([&] {
    auto storage = Open();
    const auto snapshot = storage->LoadSnapshot();
    ASSERT_TRUE(snapshot) << ToString(snapshot.error());
    EXPECT_TRUE(snapshot->data.view() == whole);
    EXPECT_TRUE(storage->Compact(2));
  });
}

// A controller whose log is gone has voted and promised; it must not come
// back as a blank one under the same identity.
TEST_F(PowerCutTest, ALostDatabaseIsNotMadeAgain) {
  InProcess([&] {
    Format();
    Open();
  });
  CutPower();
  fs::remove_all(directory_ + "/raft");
  InProcess([&] {
    const auto opened = RaftStorage::Open(directory_, "c1", 1);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find("another node id"), std::string::npos)
        << opened.error().message;
  });
}

}  // namespace
}  // namespace tidemark::storage
