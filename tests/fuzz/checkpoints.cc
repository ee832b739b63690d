// The files a broker reads at start beside the logs: checkpoints, the marker
// of a clean stop, meta.properties. Whatever is in them, the directory opens,
// and what is written then is read again.

#include <glog/logging.h>
#include <stdlib.h>

#include <fstream>

#include "broker/log/epoch_cache.h"
#include "broker/log/log_manager.h"
#include "broker/log/producer_state.h"
#include "common/io/meta_properties.h"
#include "common/record/crc32c.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/logs.h"
#include "tests/fuzz/targets.h"
#include "tests/support/sim_disk.h"

namespace tidemark::fuzz {
namespace {

constexpr char kDir[] = "/data";
constexpr BrokerEpoch kEpoch = 12;

log::LogManagerOptions Options() {
  log::LogManagerOptions options;
  options.dirs = {kDir};
  options.load_threads = 1;
  options.directory.sync_threads = 1;
  options.directory.journal.journal.file_bytes = 64 << 10;
  options.config.segment_bytes = 1000;
  return options;
}

std::unique_ptr<log::LogManager> Open(io::FileSystem& disk) {
  auto opened = log::LogManager::Open(disk, Options(), kNow);
  CHECK(opened) << ToString(opened.error());
  CHECK((*opened)->OfflineDirectories().empty());
  return std::move(*opened);
}

// "t-0:x" is the file x in the directory t-0. Without the journal: damage in it
// takes the directory offline, and is another target's.
void Write(io::FileSystem& disk, const Files& files) {
  for (const auto& [name, bytes] : files) {
    if (name.starts_with("journal")) continue;
    const size_t colon = name.find(':');
    std::string dir = kDir;
    if (colon != std::string::npos) {
      dir += "/" + name.substr(0, colon);
      if (colon == 0 || !disk.CreateDirectories(dir)) continue;
    }
    const std::string file =
        colon == std::string::npos ? name : name.substr(colon + 1);
    if (!file.empty()) WriteFiles(disk, dir, {{file, bytes}});
  }
}

Files Read(io::FileSystem& disk) {
  Files files;
  const auto names = disk.List(kDir).value();
  for (const std::string& name : names) {
    const std::string path = std::string(kDir) + "/" + name;
    if (auto bytes = io::ReadFile(disk, path)) {
      files.emplace_back(name, std::move(*bytes));
      continue;
    }
    for (auto& [file, bytes] : ReadFiles(disk, path)) {
      files.emplace_back(name + ":" + file, std::move(bytes));
    }
  }
  return files;
}

// Takes all logs and gives them back, as a broker's life does.
void Live(log::LogManager& manager) {
  std::vector<std::unique_ptr<log::Log>> logs;
  for (const auto& loaded : manager.LoadedPartitions()) {
    (void)manager.IsShortened(loaded.partition);
    const auto mark = manager.CheckpointedHighWatermark(loaded.partition);
    CHECK(!mark || *mark >= 0);
    auto log =
        manager.GetOrCreate(loaded.partition, loaded.topic_id, {}, false, kNow);
    CHECK(log) << ToString(log.error());
    const auto point = (*log)->RecoveryPoint();
    CHECK(point) << ToString(point.error());
    manager.SetHighWatermarks({{loaded.partition, (*log)->end_offset()}});
    logs.push_back(std::move(*log));
  }
  CHECK(manager.ShutdownCleanly(std::move(logs), kEpoch));
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
  CHECK(disk.CreateDirectories(kDir));
  const Files files = UnpackFiles(input);
  Write(disk, files);
  for (const auto& [name, bytes] : files) {
    if (name == io::kMetaPropertiesFile) LoadProperties(bytes);
    Decode(bytes);
  }
  Live(*Open(disk));
  const auto again = Open(disk);
  CHECK_EQ(again->previous_broker_epoch(), kEpoch);
}

std::vector<std::string> CheckpointCorpus() {
  std::vector<std::string> out;
  for (const bool clean : {false, true}) {
    sim::SimDisk disk(1);
    CHECK(disk.CreateDirectories(kDir));
    auto manager = Open(disk);
    std::vector<std::unique_ptr<log::Log>> logs;
    for (const auto& name :
         {TopicPartition{"t", 0}, TopicPartition{"u-v", 17}}) {
      auto log =
          manager->GetOrCreate(name, *Uuid::FromBytes("0123456789abcdef"),
                               Options().config, true, kNow);
      CHECK(log);
      int sequence = 0;
      for (int i = 0; i < 8; ++i) {
        CHECK((*log)->AssignEpoch(i / 3, (*log)->end_offset()));
        CHECK((*log)->AppendAsLeader(SomeRecords(sequence, 2, 5), i / 3, kNow));
        sequence += 2;
      }
      logs.push_back(std::move(*log));
    }
    for (const auto& log : logs) {
      CHECK(log->RecoveryPoint());
      manager->SetHighWatermarks({{log->partition(), 9}});
    }
    manager->Checkpoint();
    if (clean) CHECK(manager->ShutdownCleanly(std::move(logs), kEpoch));
    logs.clear();
    manager.reset();
    Files files = Read(disk);
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
