#include "broker/log/cleaner.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/unit/broker/log/cleaning_fixture.h"

namespace tidemark::log {
namespace {

class FakeClock final : public Clock {
 public:
  Instant Now() const override { return now; }
  int64_t WallMs() const override { return kNow; }
  Instant now{};
};

// Some logs, in which anything may go wrong.
class SomeLogs final : public CleanSource {
 public:
  std::vector<Item> List() override {
    std::vector<Item> all;
    for (const auto& [partition, log] : logs) {
      if (partition.partition > shown) break;
      auto what = log->FindCleanable(log->end_offset(), kNow);
      if (!what || !*what) continue;
      all.push_back({partition, log->topic_id(), 3, std::move(**what)});
    }
    return all;
  }
  std::unique_ptr<LogBeingCleaned> Take(const Item& item) override {
    taken.push_back(item.partition.partition);
    auto log = std::make_unique<DirectLog>(*logs.at(item.partition));
    log->after_replace = after_replace;
    return log;
  }
  int64_t Written() const override { return written += writes; }
  void Damaged(const Item& item, Offset from, const Error& error) override {
    EXPECT_EQ(item.leader_epoch, 3);
    EXPECT_EQ(error.code, ErrorCode::kCorruptMessage);
    damaged.emplace_back(item.partition.partition, from);
  }

  std::map<TopicPartition, std::unique_ptr<Log>> logs;
  std::atomic<PartitionIndex> shown = INT32_MAX;  // of them, the first
  std::function<void()> after_replace;
  int writes = 0;  // between any two looks
  mutable int64_t written = 0;
  std::vector<PartitionIndex> taken;
  std::vector<std::pair<PartitionIndex, Offset>> damaged;
};

class CleanerTest : public CleaningTest {
 protected:
  CleanerTest() : cleaner_(disk_, clock_, Options(), source_) {}

  static Cleaner::Options Options() {
    Cleaner::Options options;
    options.dedupe_bytes = 1 << 16;
    options.backoff = std::chrono::seconds(15);
    return options;
  }
  Log& Make(PartitionIndex index, int records) {
    OpenOptions options = options_;
    options.dir = "/data/t-" + std::to_string(index);
    options.partition = {"t", index};
    auto log = OpenLog(disk_, options, kNow).value();
    for (int i = 0; i < records; ++i) {
      EXPECT_TRUE(
          log->AppendAsLeader(Records({{"a", "v"}}), 0, now_).has_value());
    }
    while (auto work = log->TakeSync()) {
      EXPECT_TRUE(PerformSync(disk_, *work));
      log->Flushed(*work);
    }
    return *(source_.logs[options.partition] = std::move(log));
  }
  void Damage(Log& log) {
    const auto what = Find(log).value();
    disk_.FlipBit(what->segments[1].path, 65, 1);
  }

  FakeClock clock_;
  SomeLogs source_;
  Cleaner cleaner_;
};

TEST_F(CleanerTest, CleansWhatIsDueTheDirtiestFirst) {
  Make(1, 40);
  while (cleaner_.CleanOne()) continue;
  Log& little = *source_.logs.at({"t", 1});
  ASSERT_TRUE(little.AppendAsLeader(Records({{"a", "v"}}), 0, now_));
  Make(2, 100);
  Make(3, 3);  // nothing but what is written to
  source_.taken.clear();
  while (cleaner_.CleanOne()) continue;
  EXPECT_EQ(source_.taken, (std::vector<PartitionIndex>{2, 1}));
  EXPECT_EQ(cleaner_.counters().passes, 3);
  EXPECT_GT(cleaner_.counters().dropped_records, 100);
  EXPECT_EQ(cleaner_.counters().uncleanable, 0);
  EXPECT_EQ(cleaner_.counters().last_pass_wall_ms, kNow);
}

TEST_F(CleanerTest, RestsWhileAnybodyWrites) {
  Make(1, 40);
  EXPECT_TRUE(cleaner_.CleanOne());
  EXPECT_EQ(cleaner_.counters().rest_nanos, 0);
  source_.writes = 1;
  Make(2, 40);
  EXPECT_TRUE(cleaner_.CleanOne());
  EXPECT_GT(cleaner_.counters().rest_nanos, 0);
}

TEST_F(CleanerTest, NotWhereALogIsOverdue) {
  options_.config.max_compaction_lag_ms = 1;
  now_ -= 100;
  Make(1, 40);
  source_.writes = 1;
  EXPECT_TRUE(cleaner_.CleanOne());
  EXPECT_EQ(cleaner_.counters().rest_nanos, 0);
}

TEST_F(CleanerTest, ADirtyRatioThatIsNotReachedWaits) {
  options_.config.min_cleanable_ratio = 1;
  Make(1, 40);
  EXPECT_FALSE(cleaner_.CleanOne());
  EXPECT_EQ(cleaner_.counters().dirtiest_percent, 100);
}

TEST_F(CleanerTest, ALogThatCannotBeCleanedHoldsUpNoOther) {
  Damage(Make(1, 60));
  Make(2, 40);
  while (cleaner_.CleanOne()) continue;
  EXPECT_EQ(source_.taken, (std::vector<PartitionIndex>{1, 2}));
  ASSERT_EQ(source_.damaged.size(), 1u);
  EXPECT_EQ(source_.damaged[0].first, 1);
  EXPECT_EQ(cleaner_.counters().uncleanable, 1);
  EXPECT_EQ(cleaner_.counters().failed_passes, 1);
  // After a pause it is tried again, and the next one is longer.
  clock_.now += std::chrono::seconds(15);
  EXPECT_TRUE(cleaner_.CleanOne());
  clock_.now += std::chrono::seconds(15);
  EXPECT_FALSE(cleaner_.CleanOne());
  clock_.now += std::chrono::seconds(15);
  EXPECT_TRUE(cleaner_.CleanOne());
  EXPECT_EQ(cleaner_.counters().failed_passes, 3);
  // One that is gone is none.
  source_.logs.erase({"t", 1});
  EXPECT_FALSE(cleaner_.CleanOne());
  EXPECT_EQ(cleaner_.counters().uncleanable, 0);
}

TEST_F(CleanerTest, WhatIsCutMeanwhileIsNotDamaged) {
  Log& log = Make(1, 90);
  source_.after_replace = [&] { ASSERT_TRUE(log.TruncateTo(40)); };
  EXPECT_TRUE(cleaner_.CleanOne());
  EXPECT_TRUE(source_.damaged.empty());
  EXPECT_EQ(cleaner_.counters().uncleanable, 0);
  EXPECT_FALSE(cleaner_.CleanOne());
}

TEST_F(CleanerTest, WhatRunsOutSaysNothingAboutALog) {
  Log& log = Make(1, 60);
  disk_.FailOpens(true);
  EXPECT_TRUE(cleaner_.CleanOne());
  EXPECT_EQ(cleaner_.counters().uncleanable, 0);
  EXPECT_EQ(cleaner_.counters().failed_passes, 1);
  disk_.FailOpens(false);
  EXPECT_FALSE(cleaner_.CleanOne());
  clock_.now += std::chrono::seconds(15);
  EXPECT_TRUE(cleaner_.CleanOne());
  EXPECT_EQ(cleaner_.counters().passes, 1);
  EXPECT_EQ(Find(log).value()->dirty_bytes, 0u);
}

TEST_F(CleanerTest, ThreadsCleanAndStopAmidACleaning) {
  Make(1, 60);
  Make(2, 60);
  Cleaner::Options options = Options();
  options.bytes_per_second = 1;  // for ever
  options.threads = 1;
  Cleaner slow(disk_, SystemClock(), options, source_);
  slow.Start();
  slow.Stop();
  EXPECT_EQ(slow.counters().passes, 0);
  options.bytes_per_second = 1e12;
  Cleaner fast(disk_, SystemClock(), options, source_);
  fast.Start();
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (fast.counters().passes < 2 &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  fast.Stop();
  EXPECT_EQ(fast.counters().passes, 2);
  for (const auto& [partition, log] : source_.logs) {
    const auto names = disk_.List(log->dir()).value();
    for (const std::string& name : names) {
      EXPECT_FALSE(name.ends_with(kCleanedSuffix)) << name;
    }
  }
}

TEST_F(CleanerTest, OptionsMayChangeWhileItRuns) {
  const auto await = [](const std::function<bool()>& done) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    return done();
  };
  for (PartitionIndex i = 1; i <= 3; ++i) Make(i, 60);
  source_.shown = 1;
  Cleaner::Options options = Options();
  options.threads = 0;
  options.bytes_per_second = 1;
  options.backoff = std::chrono::hours(1);
  Cleaner cleaner(disk_, SystemClock(), options, source_);
  cleaner.Start();
  // A thread comes, waits for its turn for ever, and then need not any more.
  options.threads = 1;
  cleaner.Change(options);
  EXPECT_EQ(cleaner.counters().passes, 0);
  options.bytes_per_second = 1e12;
  cleaner.Change(options);
  EXPECT_TRUE(await([&] { return cleaner.counters().passes == 1; }));
  // It goes, and another comes; the pause between looks counts at once.
  options.threads = 0;
  cleaner.Change(options);
  source_.shown = 2;
  options.threads = 1;
  cleaner.Change(options);
  EXPECT_TRUE(await([&] { return cleaner.counters().passes == 2; }));
  source_.shown = 3;
  options.backoff = std::chrono::milliseconds(1);
  cleaner.Change(options);
  EXPECT_TRUE(await([&] { return cleaner.counters().passes == 3; }));
  cleaner.Stop();
}

}  // namespace
}  // namespace tidemark::log
