#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "broker/metadata/controller_client.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/metadata/image.h"

namespace tidemark::coordinator {

inline constexpr const char* kOffsetsTopic = "__consumer_offsets";
inline constexpr const char* kTransactionsTopic = "__transaction_state";

// Java's String.hashCode of UTF-8 text. Bytes that are not UTF-8 count as
// U+FFFD each.
int32_t JavaHash(std::string_view utf8);
// Which of `partitions` coordinates the group or transactional id, as Kafka
// has it: abs(hash) % partitions.
PartitionIndex PartitionOf(std::string_view key, int32_t partitions);

// A topic that coordinators keep their state in, and Kafka's settings of its
// shape.
struct InternalTopicConfig {
  std::string name;
  int32_t partitions = 50;              // .num.partitions
  int16_t replication_factor = 3;       // .replication.factor
  int64_t segment_bytes = 104'857'600;  // .segment.bytes
  int32_t min_isr = 0;                  // .min.isr; 0: as any topic
  std::string factor_setting;           // how the factor's setting is called
};

// Creates an internal topic when somebody first needs it. Any thread.
//
// Like Kafka it waits until enough brokers are alive for the replication
// factor: a topic made while the first of three brokers starts would have one
// replica for ever. A cluster of fewer brokers sets the replication factor.
class InternalTopic {
 public:
  InternalTopic(InternalTopicConfig config, ControllerClient& controller)
      : state_(std::make_shared<State>()),
        config_(std::move(config)),
        controller_(controller) {}

  // Sends a creation unless one is on its way. The topic shows up in a later
  // image. REQUIRES: `image` does not have it.
  void Create(const metadata::Image& image);

  const InternalTopicConfig& config() const { return config_; }
  const std::string& name() const { return config_.name; }

 private:
  struct State {
    std::mutex mutex;
    bool in_flight = false;
  };

  std::shared_ptr<State> state_;  // outlived by no callback
  const InternalTopicConfig config_;
  ControllerClient& controller_;
};

// Where the coordinator of a group or transactional id is to be found.
struct CoordinatorLocation {
  ErrorCode error = ErrorCode::kNone;
  std::string message;
  NodeId node = kNoNode;
  std::string host;
  int32_t port = -1;
};

// From the metadata; creates the topic when there is none and answers
// kCoordinatorNotAvailable meanwhile. `what`: "group", for the message.
CoordinatorLocation LocateCoordinator(const metadata::Image& image,
                                      InternalTopic& topic,
                                      std::string_view what,
                                      std::string_view key,
                                      const std::string& listener);

}  // namespace tidemark::coordinator
