#include "controller/storage/raft_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "common/io/initial_voters.h"

namespace tidemark::storage {
namespace {

namespace fs = std::filesystem;
using raft::Entry;
using raft::HardState;
using raft::LogPosition;
using testing::AllOf;
using testing::HasSubstr;

class RaftStorageTest : public testing::Test {
 protected:
  RaftStorageTest() {
    std::string name = fs::temp_directory_path() / "raft_storage_XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  ~RaftStorageTest() override {
    storage_.reset();
    fs::remove_all(directory_);
  }

  void Format(NodeId node = 1, const std::string& cluster = "c1") {
    auto meta =
        io::FormatDirectory(directory_, cluster, node, io::Use::kMetadata);
    ASSERT_TRUE(meta) << ToString(meta.error());
  }
  void Open() {
    storage_.reset();
    auto opened = RaftStorage::Open(directory_, "c1", 1);
    ASSERT_TRUE(opened) << ToString(opened.error());
    storage_ = std::move(*opened);
  }
  std::string OpenError(NodeId node = 1, const std::string& cluster = "c1") {
    auto opened = RaftStorage::Open(directory_, cluster, node);
    return opened ? "" : ToString(opened.error());
  }
  raft::Stored Load() {
    auto stored = storage_->Load();
    EXPECT_TRUE(stored) << ToString(stored.error());
    return stored.value_or(raft::Stored{});
  }
  void Write(raft::Write write) {
    auto status = storage_->Write({&write, 1});
    ASSERT_TRUE(status) << ToString(status.error());
  }
  static Entry MakeEntry(uint64_t index, uint64_t term, std::string data) {
    return {index, term, SharedBytes(std::move(data))};
  }

  std::string directory_;
  std::unique_ptr<RaftStorage> storage_;
};

TEST_F(RaftStorageTest, StartsEmpty) {
  Format();
  Open();
  const raft::Stored stored = Load();
  EXPECT_EQ(stored.hard_state, HardState{});
  EXPECT_EQ(stored.base, LogPosition{});
  EXPECT_TRUE(stored.entries.empty());
  EXPECT_EQ(storage_->LoadSnapshot()->last, LogPosition{});
}

TEST_F(RaftStorageTest, WhatWasWrittenIsThereAfterReopening) {
  Format();
  Open();
  Write({.hard_state = HardState{7, 3},
         .entries = {MakeEntry(1, 6, "a"), MakeEntry(2, 7, "")}});
  Open();
  const raft::Stored stored = Load();
  EXPECT_EQ(stored.hard_state, (HardState{7, 3}));
  ASSERT_EQ(stored.entries.size(), 2u);
  EXPECT_EQ(stored.entries[0], MakeEntry(1, 6, "a"));
  EXPECT_EQ(stored.entries[1].term, 7u);
  EXPECT_TRUE(stored.entries[1].data.empty());
}

TEST_F(RaftStorageTest, NoVoteIsKeptAsNoVote) {
  Format();
  Open();
  Write({.hard_state = HardState{9, kNoNode}});
  Open();
  EXPECT_EQ(Load().hard_state, (HardState{9, kNoNode}));
}

raft::MembersPtr MakeMembers(NodeId learner) {
  raft::Members members;
  members.Put({1, Uuid::Random(), true, "one", 9093});
  members.Put({learner, Uuid::Random(), false, "two", 9094});
  return std::make_shared<raft::Members>(std::move(members));
}

// also a vote remembers the disk; a program that did not know of disks
// leaves a row behind that is of another vote.
TEST_F(RaftStorageTest, TheDiskOfAVoteIsKeptWithIt) {
  Format();
  Open();
  const HardState state{7, 3, Uuid::Random()};
  Write({.hard_state = state});
  Open();
  EXPECT_EQ(Load().hard_state, state);
  Write({.hard_state = HardState{8, 3, {}}});
  Open();
  EXPECT_EQ(Load().hard_state, (HardState{8, 3, {}}));
}

TEST_F(RaftStorageTest, MembersAreKeptInTheLogAndInSnapshots) {
  Format();
  Open();
  EXPECT_EQ(Load().members, nullptr);
  const auto first = MakeMembers(2), second = MakeMembers(3);
  Write({.entries = {MakeEntry(1, 1, "a"),
                     {2, 1, {}, first},
                     MakeEntry(3, 1, "b"),
                     {4, 2, {}, second}}});
  Open();
  raft::Stored stored = Load();
  ASSERT_EQ(stored.entries.size(), 4u);
  EXPECT_EQ(stored.entries[1], (Entry{2, 1, {}, first}));
  EXPECT_EQ(stored.entries[3], (Entry{4, 2, {}, second}));
  EXPECT_EQ(stored.members, nullptr);
  ASSERT_TRUE(storage_->SaveSnapshot({{3, 1}, SharedBytes("state"), first}, 2));
  Open();
  stored = Load();
  EXPECT_EQ(stored.base, (LogPosition{2, 1}));
  ASSERT_NE(stored.members, nullptr);
  EXPECT_EQ(*stored.members, *first);
  EXPECT_EQ(*storage_->LoadSnapshot()->members, *first);
  Write({.snapshot = raft::Snapshot{{9, 3}, SharedBytes("more"), second}});
  Open();
  EXPECT_EQ(*Load().members, *second);
}

// The quorum a directory was formatted for is its configuration from the start.
TEST_F(RaftStorageTest, InitialVotersBecomeMembersAtTheFirstStart) {
  const Uuid own = Uuid::Random(), other = Uuid::Random();
  ASSERT_TRUE(io::SaveInitialVoters(
      directory_, {{1, "one", 9093, own}, {2, "::1", 9094, other}}));
  ASSERT_TRUE(
      io::FormatDirectory(directory_, "c1", 1, io::Use::kMetadata, own));
  Open();
  EXPECT_EQ(storage_->meta().directory_id, own);
  raft::Members expected;
  expected.Put({1, own, true, "one", 9093});
  expected.Put({2, other, true, "::1", 9094});
  for (int i = 0; i < 2; ++i) {
    ASSERT_NE(Load().members, nullptr);
    EXPECT_EQ(*Load().members, expected);
    Open();
  }
}

TEST(InitialVoters, AreKafkasForm) {
  const Uuid id = Uuid::Random();
  const std::string d = ToString(id);
  auto voters = io::ParseInitialVoters("1@host:9093:" + d);
  ASSERT_TRUE(voters);
  EXPECT_EQ(voters->at(0), (io::InitialVoter{1, "host", 9093, id}));
  const std::string v6 = "7@[::1]:9093:" + d;
  EXPECT_EQ(io::ToString(*io::ParseInitialVoters(v6)), v6);
  for (const std::string& bad :
       {std::string(), std::string("1@host:9093"), "1@host:" + d, "x@h:1:" + d,
        "1@:9093:" + d, "1@h:0:" + d, "1@h:99999:" + d, "-1@h:1:" + d,
        "1@h:1:" + d + ",2@h:2:" + d, "1@h:1:" + d + ",1@h:2:" + d + "x"})
    EXPECT_FALSE(io::ParseInitialVoters(bad)) << bad;
}

TEST_F(RaftStorageTest, DirectoriesOfPeersAreKept) {
  Format();
  Open();
  EXPECT_TRUE(storage_->LoadPeers()->empty());
  const Uuid first = Uuid::Random(), second = Uuid::Random();
  ASSERT_TRUE(storage_->SavePeer(2, first));
  ASSERT_TRUE(storage_->SavePeer(103, second));
  Open();
  EXPECT_EQ(*storage_->LoadPeers(),
            (std::map<NodeId, Uuid>{{2, first}, {103, second}}));
}

TEST_F(RaftStorageTest, EntriesReplaceTheConflictingSuffix) {
  Format();
  Open();
  Write({.entries = {MakeEntry(1, 1, "a"), MakeEntry(2, 1, "b"),
                     MakeEntry(3, 1, "c"), MakeEntry(4, 1, "d")}});
  Write({.entries = {MakeEntry(2, 2, "x")}});
  Open();
  const raft::Stored stored = Load();
  ASSERT_EQ(stored.entries.size(), 2u);
  EXPECT_EQ(stored.entries[1], MakeEntry(2, 2, "x"));
}

TEST_F(RaftStorageTest, SeveralWritesInOneBatchApplyInOrder) {
  Format();
  Open();
  std::vector<raft::Write> writes(3);
  writes[0].entries = {MakeEntry(1, 1, "a"), MakeEntry(2, 1, "b"),
                       MakeEntry(3, 1, "c")};
  writes[1].entries = {MakeEntry(2, 2, "x")};
  writes[2].entries = {MakeEntry(3, 2, "y")};
  writes[2].hard_state = HardState{2, 1};
  ASSERT_TRUE(storage_->Write(writes));
  Open();
  const raft::Stored stored = Load();
  ASSERT_EQ(stored.entries.size(), 3u);
  EXPECT_EQ(stored.entries[1], MakeEntry(2, 2, "x"));
  EXPECT_EQ(stored.entries[2], MakeEntry(3, 2, "y"));
}

TEST_F(RaftStorageTest, OwnSnapshotKeepsTheEntriesBehindIt) {
  Format();
  Open();
  std::vector<Entry> entries;
  for (uint64_t i = 1; i <= 10; ++i) entries.push_back(MakeEntry(i, 1, "e"));
  Write({.entries = entries});
  const std::string big(3 << 20, 's');
  ASSERT_TRUE(
      storage_->SaveSnapshot({{8, 1}, SharedBytes(std::string(big))}, 5));
  Open();
  raft::Stored stored = Load();
  EXPECT_EQ(stored.snapshot, (LogPosition{8, 1}));
  EXPECT_EQ(stored.base, (LogPosition{5, 1}));
  ASSERT_EQ(stored.entries.size(), 5u);
  EXPECT_EQ(stored.entries[0].index, 6u);
  EXPECT_EQ(storage_->LoadSnapshot()->data.view(), big);
  // The next one replaces it; an older one is ignored.
  ASSERT_TRUE(storage_->SaveSnapshot({{10, 1}, SharedBytes("small")}, 8));
  ASSERT_TRUE(storage_->SaveSnapshot({{9, 1}, SharedBytes("older")}, 8));
  Open();
  EXPECT_EQ(Load().base, (LogPosition{8, 1}));
  EXPECT_EQ(storage_->LoadSnapshot()->data.view(), "small");
}

// D-6: however large a snapshot is, the log does not wait for it; until all of
// it is there the one before counts.
TEST_F(RaftStorageTest, WritesGoOnWhileASnapshotIsStored) {
  Format();
  Open();
  std::vector<Entry> entries;
  for (uint64_t i = 1; i <= 10; ++i) entries.push_back(MakeEntry(i, 1, "e"));
  Write({.entries = entries});
  ASSERT_TRUE(storage_->SaveSnapshot({{3, 1}, SharedBytes("three")}, 2));
  const std::string part(3 << 20, 'p');
  const auto bytes =
      storage_->StoreSnapshot({8, 1}, nullptr, [&](const auto& add) {
        add(part);
        std::thread([&] {
          Write({.entries = {MakeEntry(11, 1, "f")}});
          EXPECT_EQ(storage_->LoadSnapshot()->data.view(), "three");
        }).join();
        add("end");
      });
  ASSERT_TRUE(bytes);
  EXPECT_EQ(*bytes, part.size() + 3);
  EXPECT_EQ(storage_->LoadSnapshot()->data.view(), part + "end");
  ASSERT_TRUE(storage_->Compact(5));
  ASSERT_TRUE(storage_->Compact(9));  // not in the snapshot
  Open();
  const raft::Stored stored = Load();
  EXPECT_EQ(stored.snapshot, (LogPosition{8, 1}));
  EXPECT_EQ(stored.base, (LogPosition{5, 1}));
  EXPECT_EQ(stored.entries.back(), MakeEntry(11, 1, "f"));
  EXPECT_EQ(storage_->LoadSnapshot()->data.view(), part + "end");
}

// One from the leader came while it was written.
TEST_F(RaftStorageTest, ASnapshotThatIsOvertakenIsDropped) {
  Format();
  Open();
  Write({.entries = {MakeEntry(1, 1, "a"), MakeEntry(2, 1, "b")}});
  const auto bytes =
      storage_->StoreSnapshot({2, 1}, nullptr, [&](const auto& add) {
        add("own");
        Write({.snapshot = raft::Snapshot{{9, 2}, SharedBytes("leader's")}});
      });
  ASSERT_TRUE(bytes);
  EXPECT_EQ(*bytes, 0u);
  ASSERT_TRUE(storage_->Compact(2));
  Open();
  EXPECT_EQ(Load().base, (LogPosition{9, 2}));
  EXPECT_EQ(storage_->LoadSnapshot()->data.view(), "leader's");
}

TEST_F(RaftStorageTest, InstalledSnapshotReplacesTheWholeLog) {
  Format();
  Open();
  Write({.entries = {MakeEntry(1, 1, "a"), MakeEntry(2, 1, "b")}});
  Write({.snapshot = raft::Snapshot{{100, 4}, SharedBytes("state")},
         .entries = {MakeEntry(101, 4, "z")}});
  Open();
  const raft::Stored stored = Load();
  EXPECT_EQ(stored.snapshot, (LogPosition{100, 4}));
  EXPECT_EQ(stored.base, (LogPosition{100, 4}));
  ASSERT_EQ(stored.entries.size(), 1u);
  EXPECT_EQ(stored.entries[0], MakeEntry(101, 4, "z"));
  EXPECT_EQ(storage_->LoadSnapshot()->data.view(), "state");
}

TEST_F(RaftStorageTest, InstalledSnapshotDropsALongerDeadLog) {
  Format();
  Open();
  std::vector<Entry> entries;
  for (uint64_t i = 1; i <= 20; ++i) entries.push_back(MakeEntry(i, 1, "e"));
  Write({.entries = entries});
  Write({.snapshot = raft::Snapshot{{10, 2}, SharedBytes("state")}});
  Open();
  EXPECT_TRUE(Load().entries.empty());
  EXPECT_EQ(Load().base, (LogPosition{10, 2}));
}

TEST_F(RaftStorageTest, UnformattedDirectoryIsRefusedWithWhatToDo) {
  EXPECT_THAT(OpenError(), HasSubstr("tidemark storage format"));
}

TEST_F(RaftStorageTest, DirectoryOfAnotherNodeOrClusterIsRefused) {
  Format();
  EXPECT_THAT(OpenError(2), HasSubstr("belongs to node 1, not to node 2"));
  EXPECT_THAT(OpenError(1, "c2"), HasSubstr("belongs to cluster c1"));
  EXPECT_EQ(OpenError(1, ""), "");
}

TEST_F(RaftStorageTest, FormattingTwiceIsRefused) {
  Format();
  auto again = io::FormatDirectory(directory_, "c1", 1, io::Use::kMetadata);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("already formatted"));
}

TEST_F(RaftStorageTest, SecondProcessIsRefused) {
  Format();
  Open();
  EXPECT_THAT(OpenError(), HasSubstr("another process is using the directory " +
                                     directory_));
}

TEST_F(RaftStorageTest, CopiedDatabaseUnderANewIdentityIsRefused) {
  Format();
  Open();
  storage_.reset();
  fs::remove(directory_ + "/meta.properties");
  Format();
  EXPECT_THAT(OpenError(), HasSubstr("another directory, node or cluster"));
}

// D-2: only what was formatted and never used gets a database.
TEST_F(RaftStorageTest, ALostDatabaseIsNeverMadeAgain) {
  Format();
  Open();
  Write({.hard_state = HardState{7, 3}});
  storage_.reset();
  // With all that could remember it, but for the identity.
  for (const auto& file : fs::directory_iterator(directory_)) {
    if (file.path().filename() != "meta.properties") fs::remove_all(file);
  }
  for (int start = 0; start < 2; ++start) {
    EXPECT_THAT(OpenError(),
                AllOf(HasSubstr("is gone"), HasSubstr("another node id")));
    EXPECT_FALSE(fs::exists(directory_ + "/raft"));
  }
}

TEST_F(RaftStorageTest, ADirectoryOfABrokerIsNotForAController) {
  ASSERT_TRUE(io::FormatDirectory(directory_, "c1", 1, io::Use::kLogs));
  EXPECT_THAT(OpenError(), HasSubstr("is gone"));
}

// A first start that did not come to its end is made up for.
TEST_F(RaftStorageTest, AHalfMadeDatabaseIsMadeAnew) {
  Format();
  fs::create_directory(directory_ + "/raft");
  std::ofstream(directory_ + "/raft/MANIFEST-000001") << "half";
  Open();
  EXPECT_EQ(Load().hard_state, HardState{});
}

TEST_F(RaftStorageTest, DamagedMetaPropertiesAreRefused) {
  for (const char* text :
       {"", "version=2\ncluster.id=c1\nnode.id=1\n",
        "version=1\ncluster.id=c1\nnode.id=x\n",
        "version=1\ncluster.id=c1\nnode.id=1\ndirectory.id=short\n"}) {
    std::ofstream(directory_ + "/meta.properties") << text;
    EXPECT_THAT(OpenError(), HasSubstr("meta.properties")) << text;
  }
}

}  // namespace
}  // namespace tidemark::storage
