// D-1: no byte that changes in a controller's RocksDB rolls anything back that
// was synced (R-06, R-12, F99, F101); an end that never came to the disk is
// dropped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "controller/storage/log_check.h"
#include "controller/storage/raft_storage.h"

namespace tidemark::storage {
namespace {

namespace fs = std::filesystem;
using Kind = LogVerdict::Kind;
using raft::Entry;
using raft::HardState;
using testing::AllOf;
using testing::HasSubstr;

std::string Read(const fs::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

void Overwrite(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

class LogDamageTest : public testing::Test {
 protected:
  static constexpr uint64_t kWrites = 10;

  LogDamageTest() {
    std::string name = fs::temp_directory_path() / "log_damage_XXXXXX";
    base_ = ::mkdtemp(name.data());
    left_ = base_ / "left";
  }
  ~LogDamageTest() override { fs::remove_all(base_); }

  // As a process leaves it that is killed after kWrites synced writes, the
  // i-th of which has term i and the entry i.
  void MakeLeft(size_t entry_bytes) {
    const fs::path made = base_ / "made";
    ASSERT_TRUE(io::FormatDirectory(made, "c1", 1, io::Use::kMetadata));
    auto storage = std::move(*RaftStorage::Open(made, "c1", 1));
    for (uint64_t i = 1; i <= kWrites; ++i) {
      const std::string data(entry_bytes, static_cast<char>('a' + i));
      const raft::Write write{.hard_state = HardState{i, kNoNode},
                              .entries = {Entry{i, i, SharedBytes(data)}}};
      ASSERT_TRUE(storage->Write({&write, 1}));
    }
    fs::copy(made, left_, fs::copy_options::recursive);
    for (const auto& file : fs::directory_iterator(left_ / "raft")) {
      if (file.path().extension() == ".log" && file.file_size() > 0)
        wal_ = file.path().filename();
    }
    ASSERT_FALSE(wal_.empty());
  }
  std::string Wal() const { return Read(left_ / "raft" / wal_); }

  // "" or why it does not open; `after`: what is there then.
  std::string Open(const std::string& file, const std::string& bytes,
                   raft::Stored* after = nullptr) {
    const fs::path at = base_ / "opened";
    fs::remove_all(at);
    fs::copy(left_, at, fs::copy_options::recursive);
    Overwrite(at / "raft" / file, bytes);
    auto storage = RaftStorage::Open(at, "c1", 1);
    if (!storage) return storage.error().message;
    if (after != nullptr) *after = *(*storage)->Load();
    return "";
  }

  fs::path base_, left_;
  std::string wal_;
};

TEST_F(LogDamageTest, EveryFlippedBitIsSeen) {
  MakeLeft(40);
  const std::string wal = Wal();
  ASSERT_EQ(CheckLog(wal).kind, Kind::kWhole);
  for (size_t at = 0; at < wal.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = wal;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      ASSERT_EQ(CheckLog(flipped).kind, Kind::kDamaged)
          << "bit " << bit << " of byte " << at << " of " << wal.size();
    }
  }
}

TEST_F(LogDamageTest, AFlippedByteOfALogOfManyBlocksIsSeen) {
  MakeLeft(50'000);
  const std::string wal = Wal();
  ASSERT_EQ(CheckLog(wal).kind, Kind::kWhole);
  for (size_t at = 0; at < wal.size(); at += 1009) {
    std::string flipped = wal;
    flipped[at] = static_cast<char>(~flipped[at]);
    ASSERT_EQ(CheckLog(flipped).kind, Kind::kDamaged) << at;
  }
}

TEST_F(LogDamageTest, AnEndThatIsMissingIsNoDamage) {
  MakeLeft(40);
  const std::string wal = Wal();
  for (size_t size = 0; size < wal.size(); ++size)
    ASSERT_NE(CheckLog(std::string_view(wal).substr(0, size)).kind,
              Kind::kDamaged)
        << size;
}

TEST_F(LogDamageTest, SectorsThatNeverCameAreNoDamageOfTheLastWriteOnly) {
  MakeLeft(40'000);  // more than a block each
  const std::string wal = Wal();
  const size_t last_write = wal.size() - 39'000;
  for (size_t at = 512; at + 512 <= wal.size(); at += 512) {
    std::string torn = wal;
    torn.replace(at, 512, 512, '\0');
    const Kind kind = CheckLog(torn).kind;
    if (at >= last_write) {
      ASSERT_EQ(kind, Kind::kTorn) << at;
    } else if (at + 2048 < last_write) {
      ASSERT_EQ(kind, Kind::kDamaged) << at;
    }
  }
}

TEST_F(LogDamageTest, FlippedBytesAreRefusedWithWhatToDo) {
  MakeLeft(40);
  const std::string wal = Wal();
  for (size_t at = 3; at < wal.size(); at += 41) {
    std::string flipped = wal;
    flipped[at] = static_cast<char>(~flipped[at]);
    EXPECT_THAT(Open(wal_, flipped),
                AllOf(HasSubstr("/raft is damaged: "), HasSubstr(wal_),
                      HasSubstr("another node id")))
        << at;
  }
  // The length and the type of the first record: RocksDB takes both for the
  // end of the log.
  for (const auto& [at, flip] : {std::pair<size_t, int>{5, 0x40}, {6, 4}}) {
    std::string flipped = wal;
    flipped[at] = static_cast<char>(flipped[at] ^ flip);
    EXPECT_THAT(Open(wal_, flipped), HasSubstr("/raft is damaged: ")) << at;
  }
}

TEST_F(LogDamageTest, FlippedBytesOfTheManifestAreRefused) {
  MakeLeft(40);
  std::string name = Read(left_ / "raft" / "CURRENT");
  name.pop_back();
  const std::string manifest = Read(left_ / "raft" / name);
  ASSERT_GT(manifest.size(), 100u);
  for (size_t at = 6; at < manifest.size(); at += 59) {
    std::string flipped = manifest;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    EXPECT_THAT(Open(name, flipped), HasSubstr("/raft is damaged: ")) << at;
  }
}

TEST_F(LogDamageTest, ACutEndIsDroppedAndNothingElse) {
  MakeLeft(40);
  const std::string wal = Wal();
  uint64_t before = 0;
  // Without the directory's identity, the first write, it is none.
  EXPECT_THAT(Open(wal_, wal.substr(0, 5)), HasSubstr("/raft is damaged: "));
  for (size_t size = 200; size < wal.size(); size += 37) {
    raft::Stored stored;
    ASSERT_EQ(Open(wal_, wal.substr(0, size), &stored), "") << size;
    EXPECT_EQ(stored.entries.size(), stored.hard_state.term);
    EXPECT_GE(stored.hard_state.term, before);
    before = stored.hard_state.term;
  }
  EXPECT_EQ(before, kWrites - 1);
}

TEST_F(LogDamageTest, ATornEndIsDroppedAndNothingElse) {
  MakeLeft(40'000);
  std::string torn = Wal();
  torn.replace((torn.size() - 20'000) / 512 * 512, 512, 512, '\0');
  raft::Stored stored;
  ASSERT_EQ(Open(wal_, torn, &stored), "");
  EXPECT_EQ(stored.entries.size(), kWrites - 1);
  EXPECT_EQ(stored.hard_state.term, kWrites - 1);
}

}  // namespace
}  // namespace tidemark::storage
