#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/metadata/image.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace rpc_v1 = tidemark::controller::v1;

// Where one subscriber's messages go. Calls come on the feed's thread; they
// do not block.
class FeedSink {
 public:
  virtual ~FeedSink() = default;
  virtual void Send(std::shared_ptr<const rpc_v1::FeedMessage> message) = 0;
  virtual void Close(const Error& error) = 0;
};

// Pushes what is committed to the brokers, in order, and keeps the newest of
// it in memory, so that a broker which was away briefly gets only what it
// missed. Who is further behind gets a snapshot.
//
// Every controller keeps the tail; only the active one has subscribers. One
// owner thread: the controller's executor.
class MetadataFeed {
 public:
  explicit MetadataFeed(size_t tail_bytes = 4 << 20)
      : tail_bytes_(tail_bytes) {}

  // One committed entry; offsets are dense.
  void Append(MetadataOffset offset, std::string data);
  // Sends what was appended since the last Flush, as one message.
  void Flush();
  // A snapshot replaced the state: the tail no longer leads up to it.
  void Reset(MetadataOffset offset);

  void Open(int64_t controller_epoch);
  // Ends all subscriptions.
  void Close(const Error& error);

  // `next`: the first offset wanted; 0: everything. `image`: the state after
  // the last appended offset.
  void Subscribe(std::shared_ptr<FeedSink> sink, MetadataOffset next,
                 const metadata::Image& image);
  void Unsubscribe(const FeedSink* sink);
  void KeepAlive();

  size_t subscribers() const { return sinks_.size(); }

 private:
  struct Entry {
    MetadataOffset offset;
    std::string data;
  };
  std::shared_ptr<rpc_v1::FeedMessage> NewMessage() const;
  void SendTail(FeedSink* sink, MetadataOffset next);
  void SendAll(const std::shared_ptr<const rpc_v1::FeedMessage>& message);

  const size_t tail_bytes_;
  int64_t controller_epoch_ = 0;
  MetadataOffset last_ = 0;
  MetadataOffset flushed_ = 0;
  std::deque<Entry> tail_;
  size_t tail_size_ = 0;
  std::vector<std::shared_ptr<FeedSink>> sinks_;
};

}  // namespace tidemark::controller
