#pragma once

#include <glog/logging.h>

#include <memory>
#include <string>

#include "broker/log/log.h"
#include "broker/log/log_syncer.h"
#include "common/record/batch_builder.h"
#include "tests/support/sim_disk.h"

namespace tidemark::replication {

inline std::unique_ptr<log::Log> OpenTestLog(
    io::FileSystem& fs, const std::string& dir, const TopicPartition& name,
    const Uuid& id, log::LogConfig config = {},
    std::shared_ptr<log::DirectoryHealth> health = nullptr) {
  log::OpenOptions options;
  options.dir = dir + "/" + ToString(name);
  options.partition = name;
  options.topic_id = id;
  options.config = config;
  options.health = std::move(health);
  auto log = log::OpenLog(fs, options, 1'000'000);
  CHECK(log) << ToString(log.error());
  return std::move(*log);
}

inline std::string BatchOf(const std::string& value, int count = 1) {
  record::BatchBuilder builder;
  for (int i = 0; i < count; ++i) builder.Add(1'000'000, std::nullopt, value);
  return builder.Build();
}

inline Uuid TestUuid(uint8_t seed) {
  Uuid id;
  id.bytes.fill(seed);
  return id;
}

// Everything appended so far reaches the disk.
inline std::optional<log::SyncWork> SyncNow(io::FileSystem& fs, log::Log& log) {
  auto work = log.TakeSync();
  if (work) CHECK(log::PerformSync(fs, *work));
  return work;
}

}  // namespace tidemark::replication
