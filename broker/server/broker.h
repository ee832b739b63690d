#pragma once

#include <memory>

#include "broker/metadata/broker_config.h"

namespace tidemark::server {

// A broker process: everything it is made of and the order in which that
// starts and stops (C-08).
//
// Start: directories locked and checked -> logs loaded -> Kafka port open
// (ApiVersions is answered from here on; the broker knows of no topics) ->
// registered -> metadata caught up and in force -> unfenced: ready.
class Broker {
 public:
  // Runs the start up to the open port; the rest goes on by itself. Errors
  // are one line that says what to do.
  static Result<std::unique_ptr<Broker>> Start(BrokerConfig config);

  // SIGTERM: hands over leaderships while serving goes on, then closes the
  // port and the logs. The status is not ok when the next start has to recover
  // the logs. Blocking; once.
  Status Shutdown();

  // Blocks until the broker cannot go on (the controllers refuse it for good,
  // or every log directory is gone), or until Shutdown.
  Error WaitForFailure();

  // Not destroyed: calls of gRPC may still be on their way back, and the
  // process ends anyway.
  ~Broker() = delete;

 private:
  struct Impl;
  explicit Broker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::server
