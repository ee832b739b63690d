#include "tests/support/sim_disk.h"

#include <gtest/gtest.h>

#include <set>

namespace tidemark::sim {
namespace {

std::string Content(SimDisk& disk, const std::string& path) {
  return io::ReadFile(disk, path).value();
}

TEST(SimDiskTest, SyncedBytesAndEntriesSurvive) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimDisk disk(seed);
    ASSERT_TRUE(disk.CreateDirectories("/d"));
    ASSERT_TRUE(disk.SyncDirectory("/"));
    auto file = disk.Open("/d/f", true).value();
    ASSERT_TRUE(file->WriteAt(0, "safe"));
    ASSERT_TRUE(file->Sync());
    ASSERT_TRUE(disk.SyncDirectory("/d"));
    ASSERT_TRUE(file->WriteAt(4, "lost?"));
    disk.Crash();
    EXPECT_EQ(Content(disk, "/d/f").substr(0, 4), "safe");
    EXPECT_FALSE(file->WriteAt(0, "x")) << "a handle of before the crash";
  }
}

TEST(SimDiskTest, EverythingElseMayBeLostOrNot) {
  std::set<std::string> seen;
  int missing = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SimDisk disk(seed);
    ASSERT_TRUE(disk.CreateDirectories("/d"));
    ASSERT_TRUE(disk.SyncDirectory("/"));
    auto file = disk.Open("/d/f", true).value();
    ASSERT_TRUE(file->WriteAt(0, "abc"));
    disk.Crash();
    if (disk.Exists("/d/f")) {
      seen.insert(Content(disk, "/d/f"));
    } else {
      ++missing;
    }
  }
  EXPECT_GT(missing, 0);
  EXPECT_TRUE(seen.contains(""));
  EXPECT_TRUE(seen.contains("abc"));
  EXPECT_TRUE(seen.contains("ab")) << "torn";
}

TEST(SimDiskTest, SameSeedSameLoss) {
  auto run = [] {
    SimDisk disk(7);
    auto file = disk.Open("/f", true).value();
    EXPECT_TRUE(disk.SyncDirectory("/"));
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(file->WriteAt(static_cast<uint64_t>(i) * 700,
                                std::string(700, static_cast<char>('a' + i))));
    }
    disk.Crash();
    return Content(disk, "/f");
  };
  EXPECT_EQ(run(), run());
}

TEST(SimDiskTest, DiesAtTheGivenOperation) {
  SimDisk disk(1);
  auto file = disk.Open("/f", true).value();
  disk.DieAfter(2);
  EXPECT_TRUE(file->WriteAt(0, "a"));
  EXPECT_FALSE(file->WriteAt(1, "b"));
  EXPECT_TRUE(disk.dead());
  EXPECT_FALSE(file->Sync());
  disk.Crash();
  EXPECT_FALSE(disk.dead());
}

TEST(SimDiskTest, FaultsOnRequest) {
  SimDisk disk(1);
  auto file = disk.Open("/f", true).value();
  disk.SetCapacity(4);
  EXPECT_TRUE(file->WriteAt(0, "abcd"));
  EXPECT_FALSE(file->WriteAt(4, "e"));
  disk.FailSyncs("/f");
  EXPECT_FALSE(file->Sync());
  disk.FailReads("/f");
  char byte;
  EXPECT_FALSE(file->ReadAt(0, &byte, 1));
  disk.FailReads("");
  disk.FlipBit("/f", 0, 0);
  EXPECT_EQ(Content(disk, "/f"), "`bcd");
}

}  // namespace
}  // namespace tidemark::sim
