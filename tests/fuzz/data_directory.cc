#include "tests/fuzz/data_directory.h"

#include <glog/logging.h>

#include "tests/fuzz/logs.h"

namespace tidemark::fuzz {

log::LogManagerOptions DataOptions() {
  log::LogManagerOptions options;
  options.dirs = {kDataDir};
  options.load_threads = 1;
  options.directory.sync_threads = 1;
  options.directory.journal.journal.file_bytes = 64 << 10;
  options.config.segment_bytes = 1000;
  return options;
}

void WriteData(io::FileSystem& disk, const Files& files, bool with_journal) {
  for (const auto& [name, bytes] : files) {
    if (!with_journal && name.starts_with("journal")) continue;
    const size_t colon = name.find(':');
    std::string dir = kDataDir;
    if (colon != std::string::npos) {
      dir += "/" + name.substr(0, colon);
      if (colon == 0 || !disk.CreateDirectories(dir)) continue;
    }
    const std::string file =
        colon == std::string::npos ? name : name.substr(colon + 1);
    if (!file.empty()) WriteFiles(disk, dir, {{file, bytes}});
  }
}

Files ReadData(io::FileSystem& disk) {
  Files files;
  const auto names = disk.List(kDataDir).value();
  for (const std::string& name : names) {
    const std::string path = std::string(kDataDir) + "/" + name;
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

void Live(log::LogManager& manager) {
  std::vector<std::unique_ptr<log::Log>> logs;
  for (const auto& loaded : manager.LoadedPartitions()) {
    (void)manager.IsShortened(loaded.partition);
    const auto mark = manager.CheckpointedHighWatermark(loaded.partition);
    CHECK(!mark || *mark >= 0);
    auto log =
        manager.GetOrCreate(loaded.partition, loaded.topic_id, {}, false, kNow);
    CHECK(log) << ToString(log.error());
    manager.SetHighWatermarks({{loaded.partition, (*log)->end_offset()}});
    logs.push_back(std::move(*log));
  }
  CHECK(manager.ShutdownCleanly(std::move(logs), kLastEpoch));
}

std::vector<std::unique_ptr<log::Log>> MakeLogs(log::LogManager& manager) {
  std::vector<std::unique_ptr<log::Log>> logs;
  for (const auto& name : {TopicPartition{"t", 0}, TopicPartition{"u-v", 17}}) {
    auto log = manager.GetOrCreate(name, *Uuid::FromBytes("0123456789abcdef"),
                                   DataOptions().config, true, kNow);
    CHECK(log);
    int sequence = 0;
    for (int i = 0; i < 8; ++i) {
      CHECK((*log)->AssignEpoch(i / 3, (*log)->end_offset()));
      CHECK((*log)->AppendAsLeader(SomeRecords(sequence, 2, 5), i / 3, kNow));
      sequence += 2;
    }
    logs.push_back(std::move(*log));
  }
  return logs;
}

}  // namespace tidemark::fuzz
