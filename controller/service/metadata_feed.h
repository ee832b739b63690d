#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/result.h"
#include "common/metadata/image.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

namespace rpc_v1 = tidemark::controller::v1;

// A FeedMessage as it goes over the wire: serialized once, for all who get it.
using FeedBytes = std::shared_ptr<const std::string>;

// What waits to be sent.
struct FeedQueue {
  size_t messages = 0;
  size_t bytes = 0;
};

// Where one subscriber's messages go. Calls come on the feed's thread; they
// do not block.
class FeedSink {
 public:
  virtual ~FeedSink() = default;
  virtual void Send(FeedBytes message) = 0;
  virtual void Close(const Error& error) = 0;
  virtual FeedQueue Queued() const { return {}; }
};

// Pushes what is committed to the brokers, in order, and keeps the newest of
// it in memory, so that a broker which was away briefly gets only what it
// missed. Who is further behind gets a snapshot.
//
// A snapshot of many partitions takes long to make: it is made on another
// thread, once for all who wait for one and for those who come while it is on
// its way to them.
//
// Every controller keeps the tail; only the active one has subscribers. One
// owner thread: the controller's executor.
class MetadataFeed {
 public:
  // Where snapshots are made: calls `make` on another thread, then `done` on
  // the owner's, unless the feed is gone by then. Empty: both at once.
  using Background = std::function<void(std::function<void()> make,
                                        std::function<void()> done)>;

  explicit MetadataFeed(Background background = nullptr,
                        size_t tail_bytes = 4 << 20)
      : background_(std::move(background)), tail_bytes_(tail_bytes) {}

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
                 metadata::ImagePtr image);
  void Unsubscribe(const FeedSink* sink);
  void KeepAlive();

  size_t subscribers() const { return sinks_.size() + waiting_.size(); }
  // Of all subscribers.
  FeedQueue Queued() const;

 private:
  using Sinks = std::vector<std::shared_ptr<FeedSink>>;
  struct Entry {
    MetadataOffset offset;
    std::string data;
  };
  // The messages that bring one who has all before `next` up to `last`.
  struct Tail {
    MetadataOffset next = 0, last = 0;
    std::vector<FeedBytes> messages;
  };
  struct Snapshot {
    MetadataOffset offset = 0;
    std::weak_ptr<const std::string> bytes;  // held by who is sent them
  };

  MetadataOffset oldest() const {
    return tail_.empty() ? last_ + 1 : tail_.front().offset;
  }
  bool TailHas(MetadataOffset next) const {
    return next >= oldest() && next <= last_ + 1;
  }
  FeedBytes KeepAliveMessage() const;
  const Tail& TailFrom(MetadataOffset next);
  void Join(std::shared_ptr<FeedSink> sink, MetadataOffset next);
  void MakeSnapshot(metadata::ImagePtr image);
  void SnapshotMade(MetadataOffset offset, FeedBytes bytes);
  void TrimTail();

  const Background background_;
  const size_t tail_bytes_;
  int64_t controller_epoch_ = 0;
  MetadataOffset last_ = 0;
  MetadataOffset flushed_ = 0;
  std::deque<Entry> tail_;
  size_t tail_size_ = 0;
  Sinks sinks_;  // that have all up to flushed_
  std::optional<Tail> newest_tail_;
  Snapshot newest_snapshot_;
  // For the snapshot that is being made.
  Sinks waiting_;
  bool making_ = false;
  uint64_t generation_ =
      0;  // of the epoch; what was begun before is for nobody
};

}  // namespace tidemark::controller
