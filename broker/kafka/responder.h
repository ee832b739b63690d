#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "common/kafka/encoder.h"

namespace tidemark::server {

// What a connection does for one request.
struct Answer {
  enum class Kind { kFrame, kNothing, kLast, kClose };
  Kind kind = Kind::kClose;
  kafka::EncodedFrame frame;
};

// Takes the answer to one request to its connection. Copies share; the first
// answer of any of them counts, from any thread. When the last copy goes
// without one, the connection is closed.
class Responder {
 public:
  using Sink = std::function<void(Answer)>;

  explicit Responder(Sink sink)
      : state_(std::make_shared<State>(std::move(sink))) {}

  void Send(kafka::EncodedFrame frame) const {
    state_->Give({Answer::Kind::kFrame, std::move(frame)});
  }
  // The request has no answer (acks=0).
  void SendNothing() const { state_->Give({Answer::Kind::kNothing, {}}); }
  // Closes once the frame, which may be empty, is on its way.
  void SendLast(kafka::EncodedFrame frame) const {
    state_->Give({Answer::Kind::kLast, std::move(frame)});
  }
  void Close() const { state_->Give({Answer::Kind::kClose, {}}); }

 private:
  struct State {
    explicit State(Sink s) : sink(std::move(s)) {}
    State(const State&) = delete;
    ~State() { Give({Answer::Kind::kClose, {}}); }
    void Give(Answer answer) {
      if (!given.exchange(true)) sink(std::move(answer));
    }
    Sink sink;
    std::atomic<bool> given = false;
  };
  std::shared_ptr<State> state_;
};

}  // namespace tidemark::server
