#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/executor.h"

namespace asio {
class io_context;
}

namespace tidemark::io {

// An Executor with its own thread and an asio io_context for sockets.
class EventLoop final : public Executor {
 public:
  // Starts the thread. `name` (at most 15 characters) is what `top -H` shows.
  explicit EventLoop(std::string name);
  // Stops and joins. Not from the loop's own thread.
  ~EventLoop() override;

  void Post(Task task) override;
  void PostAfter(Duration delay, Task task) override;
  Instant Now() const override { return SystemClock().Now(); }
  int64_t WallMs() const override { return SystemClock().WallMs(); }

  // Tasks posted so far. Any thread.
  uint64_t posted() const;

  // Ends the thread; later tasks are dropped. Idempotent. Not from the
  // loop's own thread.
  void Stop();
  bool InThisThread() const;
  asio::io_context& context();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::io
