#include "tests/forgetfs/volatile_tree.h"

#include <gtest/gtest.h>

namespace tidemark::forgetfs {
namespace {

NodePtr File(const std::string& bytes) {
  auto node = std::make_shared<Node>();
  node->Write(0, bytes.data(), bytes.size());
  return node;
}

class VolatileTreeTest : public testing::Test {
 protected:
  VolatileTreeTest() { root_.directory = true; }

  void Forget(double keep) {
    Cut cut;
    cut.random.seed(7);
    cut.keep = keep;
    PowerCut(root_, cut);
  }

  Node root_;
};

TEST_F(VolatileTreeTest, KeepsWhatWasSynced) {
  root_.entries["a"] = File("synced");
  root_.entries["a"]->Sync();
  root_.Sync();
  root_.entries["a"]->Write(6, " and not", 8);
  Forget(0);
  ASSERT_TRUE(root_.entries.contains("a"));
  EXPECT_EQ(root_.entries["a"]->bytes, "synced");
}

TEST_F(VolatileTreeTest, ASyncedFileWithoutASyncedNameIsGone) {
  root_.entries["a"] = File("bytes");
  root_.entries["a"]->Sync();
  Forget(0);
  EXPECT_TRUE(root_.entries.empty());
}

TEST_F(VolatileTreeTest, ANameWithoutASyncedFileIsEmpty) {
  root_.entries["a"] = File("bytes");
  root_.Sync();
  Forget(0);
  EXPECT_EQ(root_.entries["a"]->bytes, "");
}

TEST_F(VolatileTreeTest, ARemovedNameComesBackUntilItsDirectoryIsSynced) {
  root_.entries["a"] = File("bytes");
  root_.entries["a"]->Sync();
  root_.Sync();
  root_.entries.erase("a");
  Forget(0);
  ASSERT_TRUE(root_.entries.contains("a"));
  EXPECT_EQ(root_.entries["a"]->bytes, "bytes");
  root_.entries.erase("a");
  root_.Sync();
  Forget(0);
  EXPECT_TRUE(root_.entries.empty());
}

TEST_F(VolatileTreeTest, OverwritingInPlaceGoesBack) {
  root_.entries["a"] = File(std::string(3 * kSector, 'x'));
  root_.entries["a"]->Sync();
  root_.Sync();
  root_.entries["a"]->Write(kSector, "y", 1);
  root_.entries["a"]->Resize(kSector + 1);
  Forget(0);
  EXPECT_EQ(root_.entries["a"]->bytes, std::string(3 * kSector, 'x'));
}

TEST_F(VolatileTreeTest, KeepsSectorsInNoOrder) {
  root_.entries["a"] = File("");
  root_.entries["a"]->Sync();
  root_.Sync();
  const std::string written(100 * kSector, 'x');
  root_.entries["a"]->Write(0, written.data(), written.size());
  Forget(0.5);
  const std::string& left = root_.entries["a"]->bytes;
  size_t kept = 0;
  for (size_t at = 0; at < left.size(); at += kSector) kept += left[at] == 'x';
  EXPECT_GT(kept, 20u);
  EXPECT_LT(kept, 80u);
}

}  // namespace
}  // namespace tidemark::forgetfs
