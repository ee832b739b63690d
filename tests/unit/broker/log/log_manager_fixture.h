#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/log/log_manager.h"
#include "tests/unit/broker/log/log_fixture.h"

namespace tidemark::log {

// A manager of two directories.
class LogManagerTest : public testing::Test {
 protected:
  LogManagerTest() {
    options_.dirs = {"/a", "/b"};
    options_.config.file_delete_delay_ms = 0;
    options_.on_offline = [this](const std::string& dir, const Error&) {
      offline_.push_back(dir);
    };
  }
  void Open() {
    manager_.reset();
    auto manager = LogManager::Open(disk_, options_, kNow);
    ASSERT_TRUE(manager) << manager.error().message;
    manager_ = std::move(*manager);
  }
  std::unique_ptr<Log> Get(const TopicPartition& partition,
                           const std::string& id = "0123456789abcdef") {
    auto log =
        manager_->GetOrCreate(partition, *Uuid::FromBytes(id), {}, true, kNow);
    EXPECT_TRUE(log) << log.error().message;
    return log ? std::move(*log) : nullptr;
  }
  // Appends and syncs as a shard does.
  void Write(Log& log, int batches, LeaderEpoch epoch = 0) {
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(log.AppendAsLeader(Batch(1), epoch, kNow));
    }
    auto work = log.TakeSync();
    std::promise<Status> done;
    work->mark->syncer()->Enqueue(
        *work, [&](Status status) { done.set_value(status); });
    ASSERT_TRUE(done.get_future().get());
    log.Flushed(*work);
  }

  // Until the file has the partition, at that offset at least.
  void Await(const std::string& file, const TopicPartition& partition,
             Offset least = 0) {
    const auto written = [&] {
      const auto offsets = ReadOffsets(disk_, file);
      return offsets && offsets->contains(partition) &&
             offsets->at(partition) >= least;
    };
    for (int i = 0; i < 500 && !written(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(written());
  }

  sim::SimDisk disk_{3};
  LogManagerOptions options_;
  std::unique_ptr<LogManager> manager_;
  std::vector<std::string> offline_;
};

}  // namespace tidemark::log
