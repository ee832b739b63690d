#include "controller/service/send_queue.h"

#include <gtest/gtest.h>

namespace tidemark::controller {
namespace {

std::shared_ptr<const int> Message(int n) { return std::make_shared<int>(n); }

// D-9: a snapshot above the bound is delivered, and what comes behind it.
TEST(SendQueue, OnlyWhatWaitsBehindTheFirstIsBounded) {
  SendQueue<int> queue(100);
  EXPECT_TRUE(queue.Push(Message(1), 1'000'000));
  EXPECT_TRUE(queue.Push(Message(2), 60));
  EXPECT_TRUE(queue.Push(Message(3), 40));
  EXPECT_FALSE(queue.Push(Message(4), 1));
  EXPECT_EQ(queue.size(), 3u);
  queue.Pop();
  EXPECT_EQ(*queue.front(), 2);
  EXPECT_TRUE(queue.Push(Message(4), 60));
  EXPECT_FALSE(queue.Push(Message(5), 1));
  for (int left = 3; left > 0; --left) queue.Pop();
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.Push(Message(6), 1'000'000)) << "alone again";
  EXPECT_FALSE(queue.Push(Message(7), 101));
}

}  // namespace
}  // namespace tidemark::controller
