#include "controller/service/metadata_feed.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/metadata/snapshot.h"

namespace tidemark::controller {
namespace {

// Batches of one message to a subscriber that catches up.
constexpr size_t kMessageBytes = 1 << 20;
// What an entry costs besides its bytes.
constexpr size_t kEntryOverhead = 64;
// The tail may grow to this while a snapshot is made that it is to go on from.
constexpr size_t kMaxHeldTail = 64 << 20;

void AddVarint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) {
    out->push_back(static_cast<char>(value | 0x80));
  }
  out->push_back(static_cast<char>(value));
}

// What comes before a batch of so many bytes.
void AddBatchTag(size_t size, std::string* out) {
  constexpr uint64_t kLengthDelimited = 2;
  AddVarint(rpc_v1::FeedMessage::kBatchesFieldNumber << 3 | kLengthDelimited,
            out);
  AddVarint(size, out);
}

// `batch` is a serialized RecordBatch: it is not read again to be sent.
void AddBatch(std::string_view batch, std::string* out) {
  AddBatchTag(batch.size(), out);
  out->append(batch);
}

std::string Head(int64_t epoch, MetadataOffset base, MetadataOffset last,
                 bool snapshot = false) {
  rpc_v1::FeedMessage head;
  head.set_controller_epoch(epoch);
  head.set_base_offset(base);
  head.set_last_offset(last);
  head.set_snapshot(snapshot);
  return head.SerializeAsString();
}

FeedBytes Share(std::string bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}

FeedBytes EncodeSnapshot(int64_t epoch, const metadata::Image& image) {
  std::string bytes;
  metadata::WriteSnapshot(image,
                          [&](std::string_view part) { bytes.append(part); });
  std::string head = Head(epoch, 0, image.offset(), true);
  AddBatchTag(bytes.size(), &head);
  bytes.insert(0, head);
  return Share(std::move(bytes));
}

}  // namespace

void MetadataFeed::Append(MetadataOffset offset, std::string data) {
  CHECK(tail_.empty() || offset == last_ + 1) << "gap in the committed log";
  if (tail_.empty()) flushed_ = offset - 1;
  last_ = offset;
  tail_size_ += data.size() + kEntryOverhead;
  tail_.push_back({offset, std::move(data)});
}

void MetadataFeed::Flush() {
  if (!sinks_.empty() && flushed_ < last_) {
    std::string bytes = Head(controller_epoch_, flushed_ + 1, last_);
    const size_t first = tail_.size() - static_cast<size_t>(last_ - flushed_);
    for (size_t i = first; i < tail_.size(); ++i) {
      AddBatch(tail_[i].data, &bytes);
    }
    const FeedBytes message = Share(std::move(bytes));
    for (const auto& sink : sinks_) sink->Send(message);
  }
  if (flushed_ < last_) newest_tail_.reset();
  flushed_ = last_;
  TrimTail();
}

void MetadataFeed::TrimTail() {
  const size_t most = making_ ? kMaxHeldTail : tail_bytes_;
  while (tail_size_ > most && !tail_.empty()) {
    tail_size_ -= tail_.front().data.size() + kEntryOverhead;
    tail_.pop_front();
  }
}

void MetadataFeed::Reset(MetadataOffset offset) {
  tail_.clear();
  tail_size_ = 0;
  last_ = flushed_ = offset;
  newest_tail_.reset();
}

void MetadataFeed::Open(int64_t controller_epoch) {
  controller_epoch_ = controller_epoch;
  newest_tail_.reset();
  newest_snapshot_ = {};
  making_ = false;
  ++generation_;
}

void MetadataFeed::Close(const Error& error) {
  making_ = false;
  ++generation_;
  for (const auto& sink : std::exchange(sinks_, {})) sink->Close(error);
  for (const auto& sink : std::exchange(waiting_, {})) sink->Close(error);
}

FeedBytes MetadataFeed::KeepAliveMessage() const {
  return Share(Head(controller_epoch_, last_ + 1, last_));
}

// Made once for those who come at the same time from the same place, as after a
// failover.
const MetadataFeed::Tail& MetadataFeed::TailFrom(MetadataOffset next) {
  if (newest_tail_ && newest_tail_->next == next &&
      newest_tail_->last == last_) {
    return *newest_tail_;
  }
  Tail& tail = newest_tail_.emplace(Tail{.next = next, .last = last_});
  std::string batches;
  MetadataOffset base = next;
  auto flush = [&](MetadataOffset last) {
    tail.messages.push_back(
        Share(Head(controller_epoch_, base, last) + batches));
    batches.clear();
    base = last + 1;
  };
  for (size_t i = static_cast<size_t>(next - oldest()); i < tail_.size(); ++i) {
    AddBatch(tail_[i].data, &batches);
    if (batches.size() >= kMessageBytes) flush(tail_[i].offset);
  }
  if (!batches.empty()) flush(last_);
  return tail;
}

// REQUIRES: TailHas(next).
void MetadataFeed::Join(std::shared_ptr<FeedSink> sink, MetadataOffset next) {
  for (const FeedBytes& message : TailFrom(next).messages) sink->Send(message);
  // The controller epoch reaches it even when there is nothing to send.
  sink->Send(KeepAliveMessage());
  sinks_.push_back(std::move(sink));
}

void MetadataFeed::Subscribe(std::shared_ptr<FeedSink> sink,
                             MetadataOffset next, metadata::ImagePtr image) {
  if (next > last_ + 1) {
    LOG(WARNING) << "feed: subscriber wants offset=" << next
                 << " past the committed offset=" << last_
                 << ", sending a snapshot";
  }
  if (next > 0 && TailHas(next)) return Join(std::move(sink), next);
  const FeedBytes made = newest_snapshot_.bytes.lock();
  if (made && TailHas(newest_snapshot_.offset + 1)) {
    sink->Send(made);
    return Join(std::move(sink), newest_snapshot_.offset + 1);
  }
  // Meanwhile it is told that somebody is there.
  if (background_) sink->Send(KeepAliveMessage());
  waiting_.push_back(std::move(sink));
  if (!making_) MakeSnapshot(std::move(image));
}

void MetadataFeed::MakeSnapshot(metadata::ImagePtr image) {
  making_ = true;
  auto bytes = std::make_shared<FeedBytes>();
  const MetadataOffset offset = image->offset();
  auto make = [epoch = controller_epoch_, image = std::move(image),
               bytes]() mutable {
    *bytes = EncodeSnapshot(epoch, *image);
    image.reset();
  };
  auto done = [this, generation = generation_, offset, bytes] {
    if (generation == generation_) SnapshotMade(offset, *bytes);
  };
  if (background_) return background_(std::move(make), std::move(done));
  make();
  done();
}

void MetadataFeed::SnapshotMade(MetadataOffset offset, FeedBytes bytes) {
  making_ = false;
  if (!TailHas(offset + 1)) {
    // More has come meanwhile than is held: again, if somebody asks again.
    LOG(WARNING) << "feed: a snapshot of offset=" << offset
                 << " took too long to make";
    const Error error{ErrorCode::kThrottlingQuotaExceeded,
                      "the metadata change too fast to be sent"};
    for (const auto& sink : std::exchange(waiting_, {})) sink->Close(error);
    return TrimTail();
  }
  newest_snapshot_ = {offset, bytes};
  for (auto& sink : std::exchange(waiting_, {})) {
    sink->Send(bytes);
    Join(std::move(sink), offset + 1);
  }
  TrimTail();
}

void MetadataFeed::Unsubscribe(const FeedSink* sink) {
  for (Sinks* all : {&sinks_, &waiting_}) {
    std::erase_if(*all, [&](const auto& other) { return other.get() == sink; });
  }
}

void MetadataFeed::KeepAlive() {
  if (subscribers() == 0) return;
  const FeedBytes message = KeepAliveMessage();
  for (const Sinks* all : {&sinks_, &waiting_}) {
    for (const auto& sink : *all) sink->Send(message);
  }
}

FeedQueue MetadataFeed::Queued() const {
  FeedQueue all;
  for (const Sinks* each : {&sinks_, &waiting_}) {
    for (const auto& sink : *each) {
      const FeedQueue one = sink->Queued();
      all.messages += one.messages;
      all.bytes += one.bytes;
    }
  }
  return all;
}

}  // namespace tidemark::controller
