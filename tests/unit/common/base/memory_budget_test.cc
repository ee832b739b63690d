#include "common/base/memory_budget.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidemark {
namespace {

class Inline final : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  void PostAfter(Duration, Task) override {}
  Instant Now() const override { return {}; }
  int64_t WallMs() const override { return 0; }
  void Run() {
    for (size_t i = 0; i < tasks_.size(); ++i) tasks_[i]();
    tasks_.clear();
  }

 private:
  std::vector<Task> tasks_;
};

class MemoryBudgetTest : public testing::Test {
 protected:
  void Wait(MemoryBudget::Lease& lease, size_t bytes, char name) {
    lease.TakeLater(bytes, executor_, [this, name] { told_ += name; });
  }
  std::string Told() {
    executor_.Run();
    return std::exchange(told_, "");
  }

  Inline executor_;
  std::shared_ptr<MemoryBudget> budget_ = MemoryBudget::Make(100);
  std::string told_;
};

TEST_F(MemoryBudgetTest, TakesUpToTheLimitAndGivesBackWhenItGoes) {
  auto first = budget_->NewLease();
  auto second = budget_->NewLease();
  EXPECT_TRUE(first.Take(60));
  EXPECT_FALSE(second.Take(41));
  EXPECT_TRUE(second.Take(40));
  EXPECT_FALSE(first.Take(1));
  EXPECT_EQ(budget_->used(), 100u);
  first.Give(20);
  EXPECT_EQ(budget_->used(), 80u);
  { auto gone = std::move(first); }
  EXPECT_EQ(budget_->used(), 40u);
  EXPECT_EQ(budget_->peak(), 100u);
}

TEST_F(MemoryBudgetTest, WhoWaitsIsServedInOrderAndNobodyPasses) {
  auto holder = budget_->NewLease(), overdrawer = budget_->NewLease();
  EXPECT_TRUE(holder.Take(100));
  Wait(overdrawer, 10, 'o');
  EXPECT_EQ(Told(), "o");
  auto a = budget_->NewLease(), b = budget_->NewLease(),
       c = budget_->NewLease();
  Wait(a, 50, 'a');
  Wait(b, 10, 'b');
  EXPECT_EQ(budget_->waiting(), 2u);
  holder.Give(30);
  EXPECT_FALSE(c.Take(1));  // behind a and b
  EXPECT_EQ(Told(), "");
  holder.Give(70);
  EXPECT_EQ(Told(), "ab");
  EXPECT_FALSE(a.IsWaiting());
  EXPECT_EQ(a.bytes(), 50u);
  EXPECT_TRUE(c.Take(30));
}

// All of them hold half a request: without the overdraft none would ever end.
TEST_F(MemoryBudgetTest, OneAtATimeGoesOnWhenAllWouldWaitForEachOther) {
  std::vector<MemoryBudget::Lease> half(4);
  for (auto& lease : half) {
    lease = budget_->NewLease();
    EXPECT_TRUE(lease.Take(25));
  }
  for (size_t i = 0; i < half.size(); ++i) {
    Wait(half[i], 25, static_cast<char>('0' + i));
  }
  EXPECT_EQ(Told(), "0");
  EXPECT_EQ(budget_->used(), 125u);
  EXPECT_TRUE(half[0].Take(1000));  // as much as its request needs
  EXPECT_EQ(Told(), "");
  half[0].Release();
  EXPECT_EQ(Told(), "12");  // into what the first had, and the next beyond
  EXPECT_EQ(budget_->used(), 125u);
}

TEST_F(MemoryBudgetTest, WhoLeavesWhileWaitingOrJustGrantedLeavesNothing) {
  auto holder = budget_->NewLease();
  EXPECT_TRUE(holder.Take(100));
  auto overdrawer = budget_->NewLease();
  Wait(overdrawer, 1, 'o');
  Told();
  {
    auto leaves = budget_->NewLease();
    Wait(leaves, 10, 'l');
  }
  EXPECT_EQ(budget_->waiting(), 0u);
  {
    auto granted = budget_->NewLease();
    Wait(granted, 50, 'g');
    holder.Give(100);
    EXPECT_EQ(budget_->used(), 51u);
  }
  EXPECT_EQ(budget_->used(), 1u);
  overdrawer.Release();
  EXPECT_EQ(budget_->used(), 0u);
  // Its overdraft ended with it.
  EXPECT_TRUE(holder.Take(100));
  auto next = budget_->NewLease();
  Wait(next, 7, 'n');
  EXPECT_EQ(Told(), "gn");
}

TEST_F(MemoryBudgetTest, WhoStopsWaitingKeepsWhatItHasAndLetsOthersPass) {
  auto holder = budget_->NewLease(), overdrawer = budget_->NewLease();
  EXPECT_TRUE(holder.Take(60));
  auto first = budget_->NewLease(), second = budget_->NewLease();
  EXPECT_TRUE(first.Take(10));
  Wait(overdrawer, 90, 'o');
  Wait(first, 50, 'f');
  Wait(second, 20, 's');
  EXPECT_EQ(Told(), "o");
  overdrawer.Give(80);
  EXPECT_EQ(Told(), "");
  first.StopWaiting();
  EXPECT_FALSE(first.IsWaiting());
  EXPECT_EQ(first.bytes(), 10u);
  EXPECT_EQ(Told(), "s");
  second.StopWaiting();  // it has it
  EXPECT_EQ(second.bytes(), 20u);
}

TEST_F(MemoryBudgetTest, WhatIsInUseIsCountedWhateverTheLimit) {
  auto lease = budget_->NewLease();
  lease.Charge(500);
  EXPECT_EQ(budget_->used(), 500u);
  auto other = budget_->NewLease();
  EXPECT_FALSE(other.Take(1));
  lease.Release();
  EXPECT_TRUE(other.Take(1));
}

}  // namespace
}  // namespace tidemark
