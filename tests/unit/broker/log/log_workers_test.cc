#include "broker/log/log_workers.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>

namespace tidemark::log {
namespace {

TEST(LogWorkersTest, WhatIsAboutOnePartitionIsDoneInOrder) {
  constexpr int kPartitions = 7, kWorks = 200;
  std::map<int, std::vector<int>> done;
  for (int i = 0; i < kPartitions; ++i) done[i];
  {
    LogWorkers workers(3);
    for (int n = 0; n < kWorks; ++n) {
      for (int i = 0; i < kPartitions; ++i) {
        workers.Do({"t", i}, [&, i, n] { done.at(i).push_back(n); });
      }
    }
  }
  for (const auto& [partition, order] : done) {
    EXPECT_EQ(order.size(), kWorks);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  }
}

TEST(LogWorkersTest, OneThatWaitsHoldsUpItsOwnPartition) {
  LogWorkers workers(2);
  std::promise<void> go;
  auto may_go = go.get_future();
  std::atomic<bool> second = false;
  // They are of different threads.
  const TopicPartition one{"t", 0}, other{"t", 1};
  workers.Do(one, [&] { may_go.wait(); });
  workers.Do(one, [&] { second = true; });
  std::promise<void> done;
  workers.Do(other, [&] { done.set_value(); });
  done.get_future().wait();
  EXPECT_FALSE(second);
  go.set_value();
  workers.Finish();
  EXPECT_TRUE(second);
}

TEST(LogWorkersTest, FinishCountsWhatHoldsItsWorkToo) {
  LogWorkers workers(1);
  auto held = std::make_shared<int>(1);
  for (int i = 0; i < 10; ++i) workers.Do({"t", i}, [held] {});
  workers.Finish();
  EXPECT_EQ(held.use_count(), 1);
}

TEST(LogWorkersTest, WhatIsSlowIsInOrderWithTheRestOfItsPartition) {
  LogWorkers workers(2);
  const TopicPartition one{"t", 0};
  std::promise<void> go;
  auto may_go = go.get_future();
  std::vector<int> done;
  workers.Do(one, [&] { may_go.wait(); });
  workers.DoSlowly(one, [&] { done.push_back(1); });
  workers.Do(one, [&] { done.push_back(2); });
  go.set_value();
  workers.Finish();
  workers.Do(one, [&] { done.push_back(3); });
  workers.Finish();
  EXPECT_THAT(done, testing::ElementsAre(1, 2, 3));
}

TEST(LogWorkersTest, TheSlowOnePausesUnlessSomebodyWaits) {
  using Clock = std::chrono::steady_clock;
  constexpr int kWorks = 400;
  const auto seconds_of = [](const std::function<void()>& what) {
    const auto began = Clock::now();
    what();
    return std::chrono::duration<double>(Clock::now() - began).count();
  };
  LogWorkers workers(2);
  std::promise<void> done;
  EXPECT_GE(seconds_of([&] {
              for (int i = 0; i < kWorks; ++i) {
                workers.DoSlowly({"t", i}, [&, i] {
                  if (i + 1 == kWorks) done.set_value();
                });
              }
              done.get_future().wait();
            }),
            0.09);
  std::atomic<int> count = 0;
  const double hurried = seconds_of([&] {
    for (int i = 0; i < 100 * kWorks; ++i) {
      workers.DoSlowly({"t", i}, [&] { ++count; });
    }
    workers.Do({"t", 100 * kWorks - 1}, [] {});
    workers.Finish();
  });
  EXPECT_EQ(count, 100 * kWorks);
  EXPECT_LT(hurried, 9) << "10 s with pauses";
}

}  // namespace
}  // namespace tidemark::log
