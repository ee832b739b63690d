#pragma once

#include <cstdint>
#include <string>
#include <tuple>

// The numbers Kafka's protocol names. They are plain integers because every
// one of them goes over the wire and to disk as it is; the names say which
// number a parameter wants.
namespace tidemark {

using NodeId = int32_t;          // broker or controller; -1: none
using PartitionIndex = int32_t;  // within its topic, from 0
using Offset = int64_t;          // of a record in a partition
using LeaderEpoch = int32_t;     // +1 with every leader of a partition
using PartitionEpoch = int32_t;  // +1 with every change of a partition's row
using BrokerEpoch = int64_t;     // metadata offset of a broker's registration
using MetadataOffset = int64_t;  // index in the controllers' log
using ProducerId = int64_t;
using ProducerEpoch = int16_t;

inline constexpr NodeId kNoNode = -1;

struct TopicPartition {
  std::string topic;
  PartitionIndex partition = 0;

  auto operator<=>(const TopicPartition&) const = default;
};

// "orders-3", as Kafka writes it.
inline std::string ToString(const TopicPartition& tp) {
  return tp.topic + "-" + std::to_string(tp.partition);
}

}  // namespace tidemark

template <>
struct std::hash<tidemark::TopicPartition> {
  size_t operator()(const tidemark::TopicPartition& tp) const {
    return std::hash<std::string>()(tp.topic) * 31 +
           static_cast<size_t>(tp.partition);
  }
};
