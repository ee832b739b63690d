#include "broker/log/log_syncer.h"

#include <gtest/gtest.h>

#include "tests/unit/broker/log/log_manager_fixture.h"

namespace tidemark::log {
namespace {

// A file whose syncs wait until told.
class SlowFile final : public io::File {
 public:
  Result<size_t> ReadAt(uint64_t, char*, size_t) const override { return 0u; }
  Status WriteAt(uint64_t, std::string_view) override { return {}; }
  Status WriteAtV(uint64_t, std::span<const std::string_view>) override {
    return {};
  }
  Status Truncate(uint64_t) override { return {}; }
  Result<uint64_t> Size() const override { return 0u; }
  Status Reserve(uint64_t) override { return {}; }
  Status Sync() override {
    EXPECT_EQ(++running_, 1) << "two at once";
    ++syncs_;
    started_.set_value();
    go_.get_future().get();
    go_ = {};
    started_ = {};
    --running_;
    return {};
  }

  std::promise<void> started_, go_;
  std::atomic<int> syncs_ = 0;
  std::atomic<int> running_ = 0;
};

TEST(ThreadedLogSyncerTest, WhatArrivesDuringASyncSharesTheNext) {
  sim::SimDisk disk(1);
  auto file = std::make_shared<SlowFile>();
  std::atomic<int> done = 0;
  {
    ThreadedLogSyncer syncer(disk, nullptr, 4);
    auto started = file->started_.get_future();
    SyncWork work;
    work.files = {file};
    syncer.Enqueue(work, [&](Status) { ++done; });
    started.get();
    for (int i = 0; i < 10; ++i) {
      syncer.Enqueue(work, [&](Status) { ++done; });
    }
    EXPECT_EQ(done, 0);
    file->go_.set_value();
    while (file->syncs_ < 2) std::this_thread::yield();
    file->go_.set_value();
  }
  EXPECT_EQ(done, 11);
  EXPECT_EQ(file->syncs_, 2);
}

}  // namespace
}  // namespace tidemark::log
