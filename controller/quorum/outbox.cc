#include "controller/quorum/outbox.h"

#include <utility>

#include "controller/raft/message.h"

namespace tidemark::quorum {
namespace {

using raft::v1::Envelope;

bool Is(const Envelope& envelope, raft::MessageType type) {
  return envelope.message().type() == static_cast<uint32_t>(type);
}

}  // namespace

void Outbox::Push(Envelope envelope, const Limits& limits, bool keep_newest) {
  if (Is(envelope, raft::MessageType::kHeartbeat)) {
    size_t behind = queue_.size();
    while (behind > 0 && Is(queue_[behind - 1], raft::MessageType::kAppend))
      --behind;
    heartbeat_ = Heartbeat{std::move(envelope), behind};
    return;
  }
  const size_t bytes = envelope.ByteSizeLong();
  while (keep_newest && queue_.size() >= limits.messages) {
    TakeFirst();
    ++dropped_;
  }
  if (queue_.size() >= limits.messages || bytes_ > limits.bytes) {
    ++dropped_;
    return;
  }
  bytes_ += bytes;
  queue_.push_back(std::move(envelope));
}

std::optional<Envelope> Outbox::Pop() {
  if (heartbeat_ && heartbeat_->behind == 0) {
    Envelope first = std::move(heartbeat_->message);
    heartbeat_.reset();
    return first;
  }
  if (queue_.empty()) return std::nullopt;
  return TakeFirst();
}

Envelope Outbox::TakeFirst() {
  Envelope first = std::move(queue_.front());
  queue_.pop_front();
  bytes_ -= first.ByteSizeLong();
  if (heartbeat_ && heartbeat_->behind > 0) --heartbeat_->behind;
  return first;
}

}  // namespace tidemark::quorum
