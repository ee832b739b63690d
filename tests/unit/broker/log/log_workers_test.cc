#include "broker/log/log_workers.h"

#include <gmock/gmock.h>

#include <atomic>
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

}  // namespace
}  // namespace tidemark::log
