#include "broker/metadata/subscriber.h"

#include <gmock/gmock.h>

#include "broker/metadata/controller_channels.h"
#include "common/io/event_loop.h"
#include "tests/unit/broker/metadata/fake_controller.h"

namespace tidemark {
namespace {

using controller::v1::FeedMessage;

Uuid IdOf(const std::string& topic) {
  Uuid id;
  std::copy_n(topic.begin(), std::min<size_t>(topic.size(), 16),
              id.bytes.begin());
  return id;
}

metadata::v1::RecordBatch Topics(const std::vector<std::string>& names) {
  metadata::v1::RecordBatch batch;
  for (const std::string& name : names) {
    auto* topic = batch.add_records()->mutable_add_topic();
    topic->set_name(name);
    topic->set_topic_id(IdOf(name).ToBytes());
  }
  return batch;
}

FeedMessage Batches(int64_t epoch, int64_t base,
                    const std::vector<std::string>& topics) {
  FeedMessage message;
  message.set_controller_epoch(epoch);
  message.set_base_offset(base);
  message.set_last_offset(base + static_cast<int64_t>(topics.size()) - 1);
  for (const std::string& topic : topics) {
    *message.add_batches() = Topics({topic});
  }
  return message;
}

FeedMessage Snapshot(int64_t epoch, int64_t offset,
                     const std::vector<std::string>& topics) {
  FeedMessage message;
  message.set_controller_epoch(epoch);
  message.set_last_offset(offset);
  message.set_snapshot(true);
  *message.add_batches() = Topics(topics);
  return message;
}

struct Published {
  metadata::ImagePtr image;
  std::shared_ptr<const metadata::Delta> delta;
};

class SubscriberTest : public testing::Test {
 protected:
  void Start(std::vector<std::string> addresses,
             std::chrono::milliseconds silence = std::chrono::seconds(60)) {
    SubscriberOptions options;
    options.node_id = 3;
    options.cluster_id = "cluster";
    options.silence_limit = silence;
    channels_ = MakeChannels(std::move(addresses));
    subscriber_ = std::make_unique<Subscriber>(
        options, channels_, loop_,
        [this](metadata::ImagePtr image, auto delta) {
          published_.Push({std::move(image), std::move(delta)});
        });
    subscriber_->Start();
  }
  void TearDown() override {
    subscriber_->Stop();
    channels_->Close();
    first_.Stop();
    second_.Stop();
  }

  FakeControllerServer first_, second_;
  Channel<Published> published_;
  io::EventLoop loop_{"feed"};
  std::shared_ptr<ControllerChannels> channels_;
  std::unique_ptr<Subscriber> subscriber_;
};

TEST_F(SubscriberTest, BatchesBecomeImagesInOrder) {
  first_.to_feed.Push(Batches(1, 1, {"a", "b"}));
  first_.to_feed.Push(Batches(1, 3, {"c"}));
  Start({first_.address()});
  auto subscription = first_.subscriptions.Pop().value();
  EXPECT_EQ(subscription.next_offset(), 0);
  EXPECT_EQ(subscription.cluster_id(), "cluster");
  auto image = published_.Pop().value();
  EXPECT_EQ(image.image->offset(), 2);
  EXPECT_THAT(image.delta->changed_topics, testing::ElementsAre("a", "b"));
  image = published_.Pop().value();
  EXPECT_EQ(image.image->offset(), 3);
  EXPECT_EQ(image.image->topics().size(), 3u);
}

TEST_F(SubscriberTest, ASnapshotDeletesWhatItLacks) {
  first_.to_feed.Push(Batches(1, 1, {"a", "b"}));
  first_.to_feed.Push(Snapshot(1, 9, {"b", "c"}));
  first_.to_feed.Push(Batches(1, 10, {"d"}));
  Start({first_.address()});
  published_.Pop();
  auto snapshot = published_.Pop().value();
  EXPECT_EQ(snapshot.image->offset(), 9);
  EXPECT_TRUE(snapshot.delta->from_snapshot);
  EXPECT_TRUE(snapshot.delta->deleted_topics.contains(IdOf("a")));
  EXPECT_EQ(published_.Pop()->image->offset(), 10);
}

TEST_F(SubscriberTest, AGapMakesItSubscribeAnewAtTheNextOffset) {
  first_.to_feed.Push(Batches(1, 1, {"a", "b"}));
  first_.to_feed.Push(Batches(1, 4, {"d"}));
  Start({first_.address()});
  first_.subscriptions.Pop();
  EXPECT_EQ(first_.subscriptions.Pop()->next_offset(), 3);
  first_.to_feed.Push(Batches(1, 3, {"c", "d"}));
  EXPECT_EQ(published_.Pop()->image->offset(), 2);
  EXPECT_EQ(published_.Pop()->image->offset(), 4);
}

TEST_F(SubscriberTest, RepeatedGapsMakeItAskForASnapshot) {
  first_.to_feed.Push(Batches(1, 1, {"a", "b"}));
  Start({first_.address()});
  published_.Pop();
  std::vector<int64_t> wanted;
  for (int i = 0; i < 4; ++i) {
    wanted.push_back(first_.subscriptions.Pop()->next_offset());
    first_.to_feed.Push(Batches(1, 9, {"x"}));
  }
  EXPECT_THAT(wanted, testing::ElementsAre(0, 3, 3, 0));
}

TEST_F(SubscriberTest, AnOlderControllerIsRefused) {
  first_.to_feed.Push(Batches(5, 1, {"a"}));
  first_.to_feed.Push(Batches(4, 2, {"stale"}));
  Start({first_.address(), second_.address()});
  EXPECT_EQ(published_.Pop()->image->offset(), 1);
  EXPECT_EQ(second_.subscriptions.Pop()->next_offset(), 2);
  second_.to_feed.Push(Batches(5, 2, {"fresh"}));
  EXPECT_NE(published_.Pop()->image->FindTopic("fresh"), nullptr);
}

TEST_F(SubscriberTest, ARecordThatContradictsTheImageIsNotPublished) {
  first_.to_feed.Push(Batches(1, 1, {"a"}));
  FeedMessage twice = Batches(1, 2, {"b", "a"});
  first_.to_feed.Push(twice);
  Start({first_.address()});
  EXPECT_EQ(published_.Pop()->image->offset(), 1);
  first_.subscriptions.Pop();
  EXPECT_EQ(first_.subscriptions.Pop()->next_offset(), 2);
}

TEST_F(SubscriberTest, ABrokenStreamIsReplacedAtOnce) {
  first_.to_feed.Push(Batches(1, 1, {"a"}));
  Start({first_.address(), second_.address()});
  published_.Pop();
  first_.Stop();
  EXPECT_EQ(second_.subscriptions.Pop()->next_offset(), 2);
}

TEST_F(SubscriberTest, AStreamEndsBeforeItsChannelsAreClosed) {
  Start({first_.address(), second_.address()});
  ASSERT_TRUE(first_.subscriptions.Pop().has_value());
  channels_->Close();
  // Neither the stream's end nor a retry comes later.
  loop_.Stop();
  EXPECT_FALSE(
      second_.subscriptions.Pop(std::chrono::milliseconds(100)).has_value());
}

TEST_F(SubscriberTest, SilenceIsABrokenStream) {
  Start({first_.address(), second_.address()}, std::chrono::milliseconds(300));
  EXPECT_TRUE(first_.subscriptions.Pop().has_value());
  EXPECT_TRUE(second_.subscriptions.Pop().has_value());
}

}  // namespace
}  // namespace tidemark
