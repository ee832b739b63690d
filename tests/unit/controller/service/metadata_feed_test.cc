#include "controller/service/metadata_feed.h"

#include <gtest/gtest.h>

#include <utility>

#include "common/metadata/apply.h"
#include "common/metadata/snapshot.h"
#include "tests/unit/controller/service/controller_fixture.h"

namespace tidemark::controller {
namespace {

// Snapshots are made when the test says so.
class MetadataFeedTest : public ::testing::Test {
 protected:
  MetadataFeedTest() : feed_(Background(), 1000) { feed_.Open(5); }

  MetadataFeed::Background Background() {
    return [this](std::function<void()> make, std::function<void()> done) {
      made_.emplace_back(std::move(make), std::move(done));
    };
  }
  void MakeSnapshots() {
    for (auto& [make, done] : std::exchange(made_, {})) {
      make();
      done();
    }
  }

  // One more entry: a setting with this value.
  void Commit(const std::string& value) {
    record_v1::RecordBatch batch;
    auto* change = batch.add_records()->mutable_set_config();
    change->set_type(metadata::v1::BROKER);
    change->set_key("log.retention.ms");
    change->set_value(value);
    const MetadataOffset offset = image_->offset() + 1;
    image_ = *metadata::ApplyBatch(image_, batch, offset, nullptr);
    feed_.Append(offset, batch.SerializeAsString());
    feed_.Flush();
  }
  std::shared_ptr<TestSink> Subscribe(MetadataOffset next) {
    auto sink = std::make_shared<TestSink>();
    feed_.Subscribe(sink, next, image_);
    return sink;
  }

  // What a broker makes of it; fails where something is missing.
  static metadata::ImagePtr Replay(const TestSink& sink) {
    metadata::ImagePtr image = std::make_shared<metadata::Image>();
    for (const auto& message : sink.messages) {
      EXPECT_EQ(message->controller_epoch(), 5);
      if (message->snapshot()) {
        image =
            *metadata::FromRecords(message->batches(0), message->last_offset());
        continue;
      }
      if (message->batches().empty()) continue;
      EXPECT_EQ(message->base_offset(), image->offset() + 1);
      for (const auto& batch : message->batches()) {
        image =
            *metadata::ApplyBatch(image, batch, image->offset() + 1, nullptr);
      }
      EXPECT_EQ(message->last_offset(), image->offset());
    }
    return image;
  }

  std::vector<std::pair<std::function<void()>, std::function<void()>>> made_;
  MetadataFeed feed_;
  metadata::ImagePtr image_ = std::make_shared<metadata::Image>();
};

size_t Snapshots(const TestSink& sink) {
  size_t n = 0;
  for (const auto& message : sink.messages) n += message->snapshot();
  return n;
}

TEST_F(MetadataFeedTest, ASnapshotIsMadeOnceForAllAndNobodyWaitsForIt) {
  Commit("1");
  auto first = Subscribe(0);
  ASSERT_EQ(first->messages.size(), 1u) << "the epoch, at once";
  EXPECT_FALSE(first->messages[0]->snapshot());
  auto current = Subscribe(2);
  Commit("2");
  EXPECT_EQ(current->messages.size(), 2u) << "the epoch, and the second";
  auto second = Subscribe(0);
  EXPECT_EQ(made_.size(), 1u);
  EXPECT_EQ(feed_.subscribers(), 3u);
  feed_.KeepAlive();
  EXPECT_EQ(first->messages.size(), 2u) << "somebody is there";
  MakeSnapshots();
  // Also who comes while the others are being sent it.
  auto third = Subscribe(0);
  EXPECT_TRUE(made_.empty());
  Commit("3");
  for (const auto& sink : {first, second, third}) {
    EXPECT_EQ(Snapshots(*sink), 1u);
    EXPECT_TRUE(metadata::Equal(*Replay(*sink), *image_));
  }
  auto find = [](const TestSink& sink) {
    for (size_t i = 0;; ++i) {
      if (sink.messages[i]->snapshot()) return sink.bytes[i];
    }
  };
  EXPECT_EQ(find(*first), find(*second)) << "the same bytes";
  EXPECT_EQ(find(*first), find(*third));
  EXPECT_EQ(first->bytes.back(), third->bytes.back());
}

TEST_F(MetadataFeedTest, WhoComesFromTheSamePlaceGetsTheSameBytes) {
  for (int i = 0; i < 5; ++i) Commit(std::to_string(i));
  auto first = Subscribe(3), second = Subscribe(3);
  ASSERT_EQ(first->bytes.size(), 2u);
  EXPECT_EQ(first->messages[0]->batches_size(), 3);
  EXPECT_EQ(first->bytes[0], second->bytes[0]);
  Commit("more");
  auto third = Subscribe(3);
  EXPECT_EQ(third->messages[0]->batches_size(), 4);
  EXPECT_TRUE(made_.empty());
}

// The tail, 1,000 bytes otherwise, is kept to go on from.
TEST_F(MetadataFeedTest, WhatIsCommittedMeanwhileComesBehindTheSnapshot) {
  Commit("1");
  auto sink = Subscribe(0);
  for (int i = 0; i < 30; ++i) Commit(std::string(100, 'x'));
  MakeSnapshots();
  EXPECT_EQ(Snapshots(*sink), 1u);
  EXPECT_TRUE(metadata::Equal(*Replay(*sink), *image_));
  // And not for longer: who is as far behind now gets another one.
  Subscribe(3);
  EXPECT_EQ(made_.size(), 1u);
}

TEST_F(MetadataFeedTest, ASnapshotOfAnEpochThatIsOverIsForNobody) {
  Commit("1");
  auto before = Subscribe(0);
  auto gone = Subscribe(0);
  feed_.Unsubscribe(gone.get());
  feed_.Close({ErrorCode::kNotController, "no more"});
  EXPECT_TRUE(before->closed);
  EXPECT_FALSE(gone->closed);
  EXPECT_EQ(feed_.subscribers(), 0u);
  feed_.Open(5);
  auto after = Subscribe(0);
  EXPECT_EQ(made_.size(), 2u);
  auto [make, done] = made_.front();
  made_.erase(made_.begin());
  make();
  done();
  EXPECT_EQ(Snapshots(*after), 0u);
  MakeSnapshots();
  EXPECT_EQ(Snapshots(*after), 1u);
  EXPECT_EQ(Snapshots(*before), 0u);
  EXPECT_EQ(Snapshots(*gone), 0u);
}

}  // namespace
}  // namespace tidemark::controller
