#include "common/io/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "common/io/no_wait.h"

namespace tidemark::io {
namespace {

class PosixFileTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/tidemark-io-XXXXXX";
    dir_ = ::mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  FileSystem& fs_ = PosixFileSystem();
  std::string dir_;
};

TEST_F(PosixFileTest, ReadsWhatWasWrittenWherever) {
  auto file = fs_.Open(dir_ + "/a", true).value();
  ASSERT_TRUE(file->WriteAt(3, "defg"));
  const std::array<std::string_view, 3> pieces = {"a", "", "bc"};
  ASSERT_TRUE(file->WriteAtV(0, pieces));
  ASSERT_TRUE(file->Sync());
  char bytes[16];
  EXPECT_EQ(file->ReadAt(0, bytes, sizeof bytes).value(), 7u);
  EXPECT_EQ(std::string_view(bytes, 7), "abcdefg");
  EXPECT_EQ(file->ReadAt(7, bytes, 1).value(), 0u);
  ASSERT_TRUE(file->Truncate(2));
  EXPECT_EQ(file->Size().value(), 2u);
}

// Which pages of the file are in memory.
std::vector<bool> Resident(const std::string& path, size_t size) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  std::vector<unsigned char> pages((size + 4095) / 4096);
  EXPECT_EQ(::mincore(at, size, pages.data()), 0);
  ::munmap(at, size);
  std::vector<bool> resident;
  for (const unsigned char page : pages) resident.push_back((page & 1) != 0);
  return resident;
}

// Throws the file out of the page cache; false: this file system keeps it.
bool Evict(const std::string& path, size_t size) {
  const int fd = ::open(path.c_str(), O_RDWR);
  EXPECT_EQ(::fdatasync(fd), 0);
  EXPECT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(fd);
  const std::vector<bool> resident = Resident(path, size);
  return std::count(resident.begin(), resident.end(), true) == 0;
}

TEST_F(PosixFileTest, WhoMustNotWaitIsToldWhatIsNotInMemory) {
  constexpr size_t kSize = 3 << 20;
  const std::string path = dir_ + "/cold";
  std::string bytes(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<char>(i / 4096);
  auto file = fs_.Open(path, true).value();
  ASSERT_TRUE(file->WriteAt(0, bytes));
  std::string got(kSize, '\0');
  {
    NoWait scope;
    ASSERT_EQ(file->ReadAt(0, got.data(), kSize).value(), kSize);
    EXPECT_EQ(got, bytes);
    EXPECT_EQ(file->ReadAt(kSize, got.data(), 1).value(), 0u);
    EXPECT_TRUE(scope.missed().IsNothing());
  }
  if (!Evict(path, kSize)) GTEST_SKIP() << "the page cache keeps files here";
  for (int tries = 0;; ++tries) {
    ASSERT_LT(tries, 100);
    NoWait scope;
    const auto read = file->ReadAt(5000, got.data(), 100000);
    if (read) break;
    ASSERT_EQ(read.error().code, ErrorCode::kWouldWait);
    ASSERT_FALSE(scope.missed().IsNothing());
    ASSERT_EQ(scope.missed().file, file);
    ASSERT_GE(scope.missed().position, 5000u);
    // As the thread that may wait would.
    NoWait* const outer = NoWait::Exchange(nullptr);
    ASSERT_TRUE(ReadMissed(scope.missed()));
    NoWait::Exchange(outer);
  }
  EXPECT_EQ(got.substr(0, 100000), bytes.substr(5000, 100000));
  // Outside of such a scope it waits.
  ASSERT_TRUE(Evict(path, kSize));
  ASSERT_EQ(file->ReadAt(0, got.data(), kSize).value(), kSize);
  EXPECT_EQ(got, bytes);
}

TEST_F(PosixFileTest, WhoMustNotWaitOpensWhatIsKnown) {
  const std::string path = dir_ + "/known";
  ASSERT_TRUE(fs_.Open(path, true));
  NoWait scope;
  EXPECT_TRUE(fs_.Open(path, false));
  // Whether there is such a name is known, too, or must be looked for.
  const auto none = fs_.Open(dir_ + "/none", false);
  ASSERT_FALSE(none);
  if (none.error().code == ErrorCode::kWouldWait) {
    ASSERT_FALSE(scope.missed().IsNothing());
    EXPECT_EQ(scope.missed().path, dir_ + "/none");
    NoWait* const outer = NoWait::Exchange(nullptr);
    EXPECT_EQ(ReadMissed(scope.missed()).error().code,
              ErrorCode::kKafkaStorageError);
    NoWait::Exchange(outer);
  } else {
    EXPECT_EQ(none.error().code, ErrorCode::kKafkaStorageError);
  }
  // What is made is made.
  EXPECT_TRUE(fs_.Open(dir_ + "/new", true));
}

TEST(NoWait, SaysNothingAboutTheDisk) {
  NoWait outer;
  {
    NoWait inner;
    const Error error =
        NoWait::Miss({nullptr, 0, 0, nullptr, "/somewhere"}).value();
    EXPECT_EQ(error.code, ErrorCode::kWouldWait);
    EXPECT_TRUE(IsPassing(error));
    EXPECT_FALSE(IsShortage(error));
    EXPECT_EQ(inner.missed().path, "/somewhere");
  }
  EXPECT_EQ(NoWait::Current(), &outer);
  EXPECT_TRUE(outer.missed().IsNothing());
}

TEST_F(PosixFileTest, ReadingOnceLeavesThePageCacheAsItWas) {
  constexpr size_t kSize = (1 << 20) + 1000;
  const std::string path = dir_ + "/once";
  std::string bytes(kSize, '\0');
  for (size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<char>(i * 7 / 64);
  auto file = fs_.Open(path, true).value();
  ASSERT_TRUE(file->WriteAt(0, bytes));
  ASSERT_TRUE(file->Sync());
  const int fd = ::open(path.c_str(), O_RDONLY);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  // What somebody else reads stays.
  std::string some(100'000, '\0');
  ASSERT_EQ(::pread(fd, some.data(), some.size(), 512 << 10),
            static_cast<ssize_t>(some.size()));
  ::close(fd);
  const auto before = Resident(path, kSize);
  const auto once = fs_.Open(path, false).value();
  std::string read(kSize + 10, '\0');
  for (size_t at = 0; at < kSize; at += 300'000) {
    const size_t count = std::min<size_t>(300'000, read.size() - at);
    const size_t want = std::min(count, kSize - at);
    EXPECT_EQ(once->ReadOnceAt(at, read.data() + at, count), want);
  }
  EXPECT_EQ(once->ReadOnceAt(kSize, read.data(), 0), 0u);
  read.resize(kSize);
  EXPECT_EQ(read == bytes, true);
  const auto after = Resident(path, kSize);
  EXPECT_LE(std::count(after.begin(), after.end(), true),
            std::count(before.begin(), before.end(), true));
  for (size_t page = 144; page < 152; ++page) {
    EXPECT_EQ(after[page], before[page]) << page;
  }
}

TEST_F(PosixFileTest, WritesMorePiecesThanOneCallTakes) {
  auto file = fs_.Open(dir_ + "/many", true).value();
  std::vector<std::string_view> pieces(100, "xyz");
  ASSERT_TRUE(file->WriteAtV(0, pieces));
  EXPECT_EQ(file->Size().value(), 300u);
}

TEST_F(PosixFileTest, ErrorNamesPathAndReason) {
  auto missing = fs_.Open(dir_ + "/missing", false);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kKafkaStorageError);
  EXPECT_NE(missing.error().message.find("/missing: No such file"),
            std::string::npos);
}

TEST_F(PosixFileTest, FullDiskSaysWhatToDo) {
  auto full = fs_.Open("/dev/full", false);
  ASSERT_TRUE(full);
  auto written = (*full)->WriteAt(0, "x");
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("free space"), std::string::npos);
  EXPECT_EQ(written.error().code, ErrorCode::kOutOfSpace);
  EXPECT_TRUE(IsShortage(written.error()));
}

TEST_F(PosixFileTest, SpaceAndReservation) {
  const auto space = fs_.Space(dir_);
  ASSERT_TRUE(space);
  EXPECT_GT(space->total, 0u);
  EXPECT_LE(space->free, space->total);
  auto file = fs_.Open(dir_ + "/reserved", true).value();
  ASSERT_TRUE(file->WriteAt(0, "ab"));
  ASSERT_TRUE(file->Reserve(100));
  EXPECT_EQ(file->Size().value(), 100u);
  char bytes[3];
  ASSERT_TRUE(file->ReadAt(0, bytes, 3));
  EXPECT_EQ(std::string_view(bytes, 3), std::string_view("ab\0", 3));
}

// In a process of its own: the limit is the process's.
TEST_F(PosixFileTest, TheReserveOpensFilesWhenDescriptorsRunOut) {
  const std::string path = dir_ + "/a";
  ASSERT_TRUE(fs_.Open(path, true));
  const auto body = [&] {
    ReserveDescriptors(2, 64);
    rlimit limit{64, 64};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    while (::dup(0) >= 0) {
    }
    std::vector<std::shared_ptr<File>> open;
    for (int i = 0; i < 2; ++i) {
      auto file = fs_.Open(path, false);
      if (!file) std::_Exit(10 + i);
      open.push_back(std::move(*file));
    }
    auto none = fs_.Open(path, false);
    if (none || none.error().code != ErrorCode::kOutOfHandles) std::_Exit(20);
    auto listed = fs_.List(dir_);
    if (listed || listed.error().code != ErrorCode::kOutOfHandles) {
      std::_Exit(21);
    }
    open.clear();  // goes back into the reserve, not to the sockets
    if (::dup(0) >= 0) std::_Exit(22);
    if (!fs_.SyncDirectory(dir_)) std::_Exit(23);
    std::_Exit(0);
  };
  EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}

TEST_F(PosixFileTest, FilesLeaveSomeDescriptorsToSockets) {
  const std::string path = dir_ + "/a";
  ASSERT_TRUE(fs_.Open(path, true));
  const auto body = [&] {
    ReserveDescriptors(2, 10);
    std::vector<std::shared_ptr<File>> open;
    while (auto file = fs_.Open(path, false)) open.push_back(std::move(*file));
    if (open.size() != 10) std::_Exit(10);
    if (fs_.Open(path, false).error().code != ErrorCode::kOutOfHandles) {
      std::_Exit(11);
    }
    if (!fs_.List(dir_) || !fs_.SyncDirectory(dir_)) std::_Exit(12);
    open.pop_back();
    if (!fs_.Open(path, false)) std::_Exit(13);
    // One that fails to open counts nothing.
    for (int i = 0; i < 20; ++i) (void)fs_.Open(dir_ + "/none", false);
    if (!fs_.Open(path, false)) std::_Exit(14);
    std::_Exit(0);
  };
  EXPECT_EXIT(body(), testing::ExitedWithCode(0), "");
}

TEST_F(PosixFileTest, AtomicWriteReplacesAndLeavesNoTemporary) {
  const std::string path = dir_ + "/checkpoint";
  ASSERT_TRUE(WriteFileAtomically(fs_, path, "a longer first version"));
  ASSERT_TRUE(WriteFileAtomically(fs_, path, "second"));
  EXPECT_EQ(ReadFile(fs_, path).value(), "second");
  EXPECT_EQ(fs_.List(dir_).value(), std::vector<std::string>{"checkpoint"});
}

TEST_F(PosixFileTest, DirectoriesListRenameRemove) {
  ASSERT_TRUE(fs_.CreateDirectories(dir_ + "/b/c"));
  ASSERT_TRUE(fs_.CreateDirectories(dir_ + "/a"));
  EXPECT_EQ(fs_.List(dir_).value(), (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(fs_.Rename(dir_ + "/b", dir_ + "/d"));
  ASSERT_TRUE(fs_.SyncDirectory(dir_));
  EXPECT_TRUE(fs_.Exists(dir_ + "/d/c"));
  ASSERT_TRUE(fs_.RemoveAll(dir_ + "/d"));
  EXPECT_FALSE(fs_.Exists(dir_ + "/d"));
}

}  // namespace
}  // namespace tidemark::io
