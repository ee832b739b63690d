// The files a broker reads at start beside the logs: checkpoints, the marker
// of a clean stop, that of a failed sync, meta.properties. Whatever is in them,
// the directory opens, and what is written then is read again.

#include <glog/logging.h>
#include <stdlib.h>

#include <fstream>

#include "broker/log/epoch_cache.h"
#include "broker/log/producer_state.h"
#include "common/io/meta_properties.h"
#include "common/record/crc32c.h"
#include "tests/fuzz/data_directory.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/logs.h"
#include "tests/fuzz/targets.h"
#include "tests/support/sim_disk.h"

namespace tidemark::fuzz {
namespace {

constexpr char kLostWrites[] = "/.tidemark_lost_writes";

// Of this boot no file says that it has lost anything.
std::unique_ptr<log::LogManager> Open(io::FileSystem& disk) {
  log::LogManagerOptions options = DataOptions();
  options.directory.boot = "c2f1d6a0-8a3e-4c53-9b70-6d1f2e5a7b94";
  auto opened = log::LogManager::Open(disk, std::move(options), kNow);
  CHECK(opened) << ToString(opened.error());
  CHECK((*opened)->OfflineDirectories().empty());
  CHECK(!disk.Exists(std::string(kDataDir) + kLostWrites));
  return std::move(*opened);
}

void LoadProperties(const std::string& bytes) {
  static const std::string dir = [] {
    std::string name = "/tmp/tidemark-fuzz-XXXXXX";
    CHECK(mkdtemp(name.data()) != nullptr);
    return name;
  }();
  std::ofstream(dir + "/" + io::kMetaPropertiesFile, std::ios::binary) << bytes;
  const auto loaded = io::LoadMetaProperties(dir);
  if (loaded) CHECK(loaded->node_id >= 0 && !loaded->directory_id.IsZero());
}

// What every reader of such a file has to keep.
void Decode(std::string bytes) {
  if (const auto epochs = log::EpochCache::Decode(bytes)) {
    const auto again = log::EpochCache::Decode(epochs->Encode());
    CHECK(again && *again == *epochs);
  }
  if (const auto offsets = log::DecodeOffsets(bytes)) {
    const auto again = log::DecodeOffsets(log::EncodeOffsets(*offsets));
    CHECK(again && *again == *offsets);
  }
  // version i16, crc u32, and what the checksum covers
  if (bytes.size() >= 6) {
    const uint32_t crc = record::Crc32c(std::string_view(bytes).substr(6));
    for (int i = 0; i < 4; ++i) {
      bytes[2 + i] = static_cast<char>(crc >> (8 * (3 - i)));
    }
  }
  log::ProducerState producers;
  if (!producers.LoadSnapshot(bytes)) {
    CHECK(producers.empty());
    return;
  }
  log::ProducerState again;
  CHECK(again.LoadSnapshot(producers.EncodeSnapshot()));
  CHECK_EQ(again.producers().size(), producers.producers().size());
  again.Expire(kNow, 1000);
  (void)again.TruncateTo(5);
}

void RunCheckpoints(std::string_view input) {
  sim::SimDisk disk(1);
  CHECK(disk.CreateDirectories(kDataDir));
  const Files files = UnpackFiles(input);
  // Damage in the journal takes the directory offline, and is another target's.
  WriteData(disk, files, false);
  for (const auto& [name, bytes] : files) {
    if (name == io::kMetaPropertiesFile) LoadProperties(bytes);
    Decode(bytes);
  }
  Live(*Open(disk));
  const auto again = Open(disk);
  CHECK_EQ(again->previous_broker_epoch(), kLastEpoch);
}

std::vector<std::string> CheckpointCorpus() {
  std::vector<std::string> out;
  for (const bool clean : {false, true}) {
    sim::SimDisk disk(1);
    CHECK(disk.CreateDirectories(kDataDir));
    auto manager = Open(disk);
    auto logs = MakeLogs(*manager);
    for (const auto& log : logs) {
      CHECK(log->RecoveryPoint());
      manager->SetHighWatermarks({{log->partition(), 9}});
    }
    manager->Checkpoint();
    if (clean) CHECK(manager->ShutdownCleanly(std::move(logs), kLastEpoch));
    logs.clear();
    manager.reset();
    Files files = ReadData(disk);
    files.emplace_back(kLostWrites + 1, "an earlier boot\n");
    files.emplace_back(io::kMetaPropertiesFile,
                       "version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\n"
                       "node.id=1\ndirectory.id=2N7Jx0bWQYuM7ahkY5hVxw\n");
    out.push_back(PackFiles(files));
    // Small ones, so that it is the checkpoints that are spoiled.
    std::erase_if(files, [](const auto& file) {
      return file.first.ends_with(".log") || file.first.ends_with("index");
    });
    out.push_back(PackFiles(files));
  }
  return out;
}

const Added kCheckpoints({"checkpoints", RunCheckpoints, CheckpointCorpus});

}  // namespace
}  // namespace tidemark::fuzz
