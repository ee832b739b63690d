#pragma once

#include <memory>
#include <vector>

#include "broker/metadata/controller_channels.h"
#include "tests/sim/cluster/controllers.h"
#include "tests/sim/cluster/network.h"

namespace tidemark::sim {

// One broker process's way to the controllers: what gRPC is in production.
// Calls may be lost or late, streams break; every call ends by its deadline.
// Outlives the process, until the simulation ends: answers are on their way.
class ControllerLink {
 public:
  ControllerLink(Network& network, Controllers& controllers, NodeId node,
                 const Process& process);
  ~ControllerLink();

  std::shared_ptr<ControllerChannels> channels() { return channels_; }
  // The process has died, or ends: its streams break, its calls are forgotten.
  void Die();
  // A controller has: streams from it break, and nobody answers.
  void ControllerDied(NodeId controller);

 private:
  class Stub;
  class Stream;
  friend class Stream;

  Network& network_;
  Controllers& controllers_;
  const NodeId node_;
  const Process& process_;
  std::shared_ptr<ControllerChannels> channels_;
  std::vector<std::shared_ptr<Stream>> streams_;
};

}  // namespace tidemark::sim
