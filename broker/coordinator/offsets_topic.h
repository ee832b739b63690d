#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "broker/metadata/controller_client.h"
#include "common/base/executor.h"
#include "common/metadata/image.h"

namespace tidemark::coordinator {

inline constexpr const char* kOffsetsTopic = "__consumer_offsets";

// Kafka's keys of the topic's shape, with its defaults.
struct OffsetsTopicConfig {
  int32_t partitions = 50;              // offsets.topic.num.partitions
  int16_t replication_factor = 3;       // offsets.topic.replication.factor
  int64_t segment_bytes = 104'857'600;  // offsets.topic.segment.bytes
};

// Creates __consumer_offsets when somebody first needs it. Any thread.
//
// Like Kafka it waits until enough brokers are alive for the replication
// factor: a topic made while the first of three brokers starts would have one
// replica for ever. A cluster of fewer brokers sets
// offsets.topic.replication.factor.
class OffsetsTopic {
 public:
  OffsetsTopic(OffsetsTopicConfig config, ControllerClient& controller)
      : state_(std::make_shared<State>()),
        config_(config),
        controller_(controller) {}

  // Sends a creation unless one is on its way. The topic shows up in a later
  // image. REQUIRES: `image` does not have it.
  void Create(const metadata::Image& image);

  const OffsetsTopicConfig& config() const { return config_; }

 private:
  struct State {
    std::mutex mutex;
    bool in_flight = false;
  };

  std::shared_ptr<State> state_;  // outlived by no callback
  const OffsetsTopicConfig config_;
  ControllerClient& controller_;
};

}  // namespace tidemark::coordinator
