#include "controller/service/metadata_feed.h"

#include <glog/logging.h>

#include <algorithm>

#include "common/metadata/snapshot.h"

namespace tidemark::controller {
namespace {

// Batches of one message to a subscriber that catches up.
constexpr size_t kMessageBytes = 1 << 20;
// What an entry costs besides its bytes.
constexpr size_t kEntryOverhead = 64;

void AddBatch(const std::string& data, rpc_v1::FeedMessage* message) {
  CHECK(message->add_batches()->ParseFromString(data))
      << "a committed entry is not a record batch";
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
    auto message = NewMessage();
    message->set_base_offset(flushed_ + 1);
    message->set_last_offset(last_);
    size_t first = tail_.size() - static_cast<size_t>(last_ - flushed_);
    for (size_t i = first; i < tail_.size(); ++i) {
      AddBatch(tail_[i].data, message.get());
    }
    SendAll(message);
  }
  flushed_ = last_;
  while (tail_size_ > tail_bytes_ && !tail_.empty()) {
    tail_size_ -= tail_.front().data.size() + kEntryOverhead;
    tail_.pop_front();
  }
}

void MetadataFeed::Reset(MetadataOffset offset) {
  tail_.clear();
  tail_size_ = 0;
  last_ = flushed_ = offset;
}

void MetadataFeed::Open(int64_t controller_epoch) {
  controller_epoch_ = controller_epoch;
}

void MetadataFeed::Close(const Error& error) {
  for (const auto& sink : std::exchange(sinks_, {})) sink->Close(error);
}

std::shared_ptr<rpc_v1::FeedMessage> MetadataFeed::NewMessage() const {
  auto message = std::make_shared<rpc_v1::FeedMessage>();
  message->set_controller_epoch(controller_epoch_);
  return message;
}

void MetadataFeed::SendTail(FeedSink* sink, MetadataOffset next) {
  auto message = NewMessage();
  size_t bytes = 0;
  auto flush = [&] {
    message->set_last_offset(next - 1);
    sink->Send(std::exchange(message, NewMessage()));
    bytes = 0;
  };
  for (const Entry& entry : tail_) {
    if (entry.offset != next) continue;
    if (message->batches().empty()) message->set_base_offset(next);
    AddBatch(entry.data, message.get());
    bytes += entry.data.size();
    ++next;
    if (bytes >= kMessageBytes) flush();
  }
  if (!message->batches().empty()) flush();
}

void MetadataFeed::Subscribe(std::shared_ptr<FeedSink> sink,
                             MetadataOffset next,
                             const metadata::Image& image) {
  MetadataOffset oldest = tail_.empty() ? last_ + 1 : tail_.front().offset;
  if (next > last_ + 1) {
    LOG(WARNING) << "feed: subscriber wants offset=" << next
                 << " past the committed offset=" << last_
                 << ", sending a snapshot";
  }
  if (next > 0 && next >= oldest && next <= last_ + 1) {
    SendTail(sink.get(), next);
  } else {
    auto message = NewMessage();
    message->set_snapshot(true);
    message->set_last_offset(image.offset());
    *message->add_batches() = metadata::ToRecords(image);
    sink->Send(std::move(message));
  }
  // The controller epoch reaches it even when there is nothing to send.
  auto hello = NewMessage();
  hello->set_base_offset(last_ + 1);
  hello->set_last_offset(last_);
  sink->Send(std::move(hello));
  sinks_.push_back(std::move(sink));
}

void MetadataFeed::Unsubscribe(const FeedSink* sink) {
  std::erase_if(sinks_, [&](const auto& other) { return other.get() == sink; });
}

void MetadataFeed::KeepAlive() {
  if (sinks_.empty()) return;
  auto message = NewMessage();
  message->set_base_offset(last_ + 1);
  message->set_last_offset(last_);
  SendAll(message);
}

void MetadataFeed::SendAll(
    const std::shared_ptr<const rpc_v1::FeedMessage>& message) {
  for (const auto& sink : sinks_) sink->Send(message);
}

}  // namespace tidemark::controller
