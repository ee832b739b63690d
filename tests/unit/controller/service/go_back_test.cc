#include "controller/service/go_back.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

#include "common/io/meta_properties.h"
#include "controller/storage/raft_storage.h"
#include "proto/metadata.pb.h"

namespace tidemark::controller {
namespace {

namespace fs = std::filesystem;
using storage::RaftStorage;
using testing::UnorderedElementsAre;

class GoBackTest : public testing::Test {
 protected:
  GoBackTest() {
    std::string name = fs::temp_directory_path() / "go_back_test_XXXXXX";
    self_.directory = ::mkdtemp(name.data());
    self_.directory += "/d";
    auto meta =
        io::FormatDirectory(self_.directory, "c1", 1, io::Use::kMetadata);
    EXPECT_TRUE(meta);
    first_ = meta->directory_id;
  }
  ~GoBackTest() override {
    fs::remove_all(fs::path(self_.directory).parent_path());
  }

  // A voter of three, with one topic of configurations in its log.
  void WriteLog() {
    auto storage = RaftStorage::Open(self_.directory, "c1", 1);
    ASSERT_TRUE(storage);
    raft::Members members;
    members.Put({1, first_, true, "a", 9093});
    members.Put({2, second_, true, "b", 9093});
    members.Put({3, third_, true, "c", 9093});
    metadata::v1::RecordBatch batch;
    auto* config = batch.add_records()->mutable_set_config();
    config->set_type(metadata::v1::BROKER);
    config->set_key("message.max.bytes");
    config->set_value("7");
    raft::Write write;
    write.hard_state = raft::HardState{5, 1, first_};
    write.entries = {
        {1, 4, {}, std::make_shared<const raft::Members>(std::move(members))},
        {2, 5, SharedBytes(batch.SerializeAsString()), nullptr}};
    ASSERT_TRUE((*storage)->Write({&write, 1}));
  }
  Uuid IdOf() { return io::LoadMetaProperties(self_.directory)->directory_id; }

  SoleVoter self_{"", 1, "a", 9093};
  Uuid first_, second_ = Uuid::Random(), third_ = Uuid::Random();
};

// Those who were left behind know this controller by the id of its directory.
TEST_F(GoBackTest, WhoIsRecoveredIsNobodyThatTheOthersKnow) {
  WriteLog();
  const auto begun = RecoverAlone(self_);
  ASSERT_TRUE(begun) << begun.error().message;
  EXPECT_EQ(begun->members, "1 2 3");
  EXPECT_EQ(begun->from, 2);
  EXPECT_NE(IdOf(), first_);
  auto storage = RaftStorage::Open(self_.directory, "c1", 1);
  ASSERT_TRUE(storage) << storage.error().message;
  EXPECT_EQ((*storage)->meta().directory_id, IdOf());
  const auto stored = (*storage)->Load();
  ASSERT_TRUE(stored);
  EXPECT_TRUE(stored->members->IsVoter(1, IdOf()));
  EXPECT_EQ(stored->members->all().size(), 1u);
  // Nobody has seen such a term.
  EXPECT_GT(stored->hard_state.term, 1000u);
  const auto left = (*storage)->LoadLeftBehind();
  ASSERT_TRUE(left);
  EXPECT_THAT(*left, UnorderedElementsAre(first_, second_, third_));
}

TEST_F(GoBackTest, ACrashBeforeTheFileHasTheNewIdIsMadeGoodByTheNextOpen) {
  WriteLog();
  const io::MetaProperties before = *io::LoadMetaProperties(self_.directory);
  ASSERT_TRUE(RecoverAlone(self_));
  const Uuid id = IdOf();
  ASSERT_TRUE(io::SaveMetaProperties(self_.directory, before));
  {
    auto storage = RaftStorage::Open(self_.directory, "c1", 1);
    ASSERT_TRUE(storage) << storage.error().message;
    EXPECT_EQ((*storage)->meta().directory_id, id);
  }
  EXPECT_EQ(IdOf(), id);
  EXPECT_EQ(RecoverAlone(self_).error().code, ErrorCode::kInvalidRequest);
  // Of yet another directory it is nobody's.
  io::MetaProperties other = before;
  other.directory_id = Uuid::Random();
  ASSERT_TRUE(io::SaveMetaProperties(self_.directory, other));
  EXPECT_EQ(RaftStorage::Open(self_.directory, "c1", 1).error().code,
            ErrorCode::kInvalidConfig);
}

}  // namespace
}  // namespace tidemark::controller
