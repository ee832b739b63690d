#pragma once

#include <functional>

#include "broker/metadata/broker_config.h"
#include "common/base/clock.h"

namespace tidemark::server {

// A broker process: everything it is made of and the order in which that
// starts and stops (C-08).
//
// Start: directories locked and checked -> logs loaded -> Kafka port open
// (ApiVersions is answered from here on; the broker knows of no topics) ->
// registered -> metadata caught up and in force -> unfenced: ready.
class Broker {
 public:
  // `failed` is called, once, when the broker cannot go on: the controllers
  // refuse it for good, or every log directory is gone. On any thread.
  using Failed = std::function<void(const Error&)>;

  // Waits that long, or less: false, once the process is told to end.
  using Pause = std::function<bool(Duration)>;

  // Runs the start up to the open port; the rest goes on by itself. What has
  // run out is tried again, with pauses, for half a minute. Errors are one line
  // that says what to do. The broker is never destroyed: calls of gRPC may
  // still be on their way back when the process ends.
  static Result<Broker*> Start(BrokerConfig config, Failed failed,
                               const Pause& pause);

  // SIGTERM: hands over leaderships while serving goes on, then closes the
  // port and the logs. The status is not ok when the next start has to recover
  // the logs. Blocking; once.
  Status Shutdown();

 private:
  struct Impl;
  explicit Broker(Impl* impl) : impl_(impl) {}
  ~Broker() = default;
  Impl* const impl_;
};

}  // namespace tidemark::server
