#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

namespace tidemark::controller {

// Messages to one reader, the first of which is on its way. What waits behind
// it is bounded; the first itself may have any size, for a snapshot of the
// metadata is one message, and what is committed meanwhile comes behind it.
//
// Not synchronized.
template <class Message>
class SendQueue {
 public:
  explicit SendQueue(size_t max_waiting_bytes)
      : max_waiting_bytes_(max_waiting_bytes) {}

  // False, and nothing changed: too much waits already.
  bool Push(std::shared_ptr<const Message> message, size_t bytes) {
    if (!items_.empty()) {
      if (waiting_bytes_ + bytes > max_waiting_bytes_) return false;
      waiting_bytes_ += bytes;
    }
    items_.push_back({std::move(message), bytes});
    return true;
  }
  // The first has been sent.
  void Pop() {
    items_.pop_front();
    if (!items_.empty()) waiting_bytes_ -= items_.front().bytes;
  }

  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  // With what is on its way.
  size_t bytes() const {
    return waiting_bytes_ + (items_.empty() ? 0 : items_.front().bytes);
  }
  const Message* front() const { return items_.front().message.get(); }

 private:
  struct Item {
    std::shared_ptr<const Message> message;
    size_t bytes;
  };
  const size_t max_waiting_bytes_;
  size_t waiting_bytes_ = 0;
  std::deque<Item> items_;
};

}  // namespace tidemark::controller
