#pragma once

#include <functional>
#include <utility>

namespace tidemark {

// Tells the one who works on a request that nobody waits for the answer any
// more. On one thread, the one that serves the requester.
class Cancellation {
 public:
  bool cancelled() const { return cancelled_; }

  // At most one listener; it is told once, and forgotten then.
  void Listen(std::function<void()> listener) {
    listener_ = std::move(listener);
  }
  void Forget() { listener_ = nullptr; }

  void Cancel() {
    cancelled_ = true;
    if (auto listener = std::exchange(listener_, nullptr)) listener();
  }

 private:
  bool cancelled_ = false;
  std::function<void()> listener_;
};

}  // namespace tidemark
