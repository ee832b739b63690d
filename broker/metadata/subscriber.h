#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/executor.h"
#include "common/base/uuid.h"
#include "common/metadata/image.h"

namespace tidemark {

class ControllerChannels;

struct SubscriberOptions {
  NodeId node_id = kNoNode;
  std::string cluster_id;
  Uuid incarnation;
  // Silence, keep-alives included, after which another controller is tried.
  Duration silence_limit = std::chrono::milliseconds(1500);
};

// Follows the controllers' feed of committed metadata and turns it into
// images. Lives on `executor`.
//
// The rules of C-24: a message of an older controller epoch than one seen
// before is refused; one that does not start right after the last offset is a
// gap and makes the subscriber subscribe anew, after repeated gaps from a
// snapshot; a snapshot replaces everything, so what it lacks is deleted. A
// stream that breaks or falls silent is replaced at once.
class Subscriber {
 public:
  // On the executor, in order, without holes.
  using Publish = std::function<void(metadata::ImagePtr,
                                     std::shared_ptr<const metadata::Delta>)>;

  // `executor` goes only after the channels were closed.
  Subscriber(SubscriberOptions options,
             std::shared_ptr<ControllerChannels> channels, Executor& executor,
             Publish publish);
  ~Subscriber();

  // Any thread.
  void Start();
  // Nothing is published once this has run on the executor, or returned when
  // the executor is stopped. Any thread.
  void Stop();

 private:
  class Stream;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tidemark
