#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "controller/cli/command.h"

namespace tidemark::cli {

// librdkafka's handles with owners.
struct KafkaDeleter {
  void operator()(rd_kafka_t* p) const { rd_kafka_destroy(p); }
  void operator()(rd_kafka_queue_t* p) const { rd_kafka_queue_destroy(p); }
  void operator()(rd_kafka_event_t* p) const { rd_kafka_event_destroy(p); }
  void operator()(rd_kafka_message_t* p) const { rd_kafka_message_destroy(p); }
  void operator()(rd_kafka_AdminOptions_t* p) const {
    rd_kafka_AdminOptions_destroy(p);
  }
  void operator()(rd_kafka_topic_partition_list_t* p) const {
    rd_kafka_topic_partition_list_destroy(p);
  }
};
template <class T>
using KafkaPtr = std::unique_ptr<T, KafkaDeleter>;

using KafkaSettings = std::vector<std::pair<std::string, std::string>>;

// A client of the command line's brokers, with these settings of librdkafka;
// later ones win.
// `on_delivery` may be null; its opaque is `opaque`.
Result<KafkaPtr<rd_kafka_t>> NewKafkaClient(
    rd_kafka_type_t type, const Context& context, const KafkaSettings& settings,
    void (*on_delivery)(rd_kafka_t*, const rd_kafka_message_t*,
                        void*) = nullptr,
    void* opaque = nullptr);

// As a status with Kafka's code; librdkafka's own (negative) codes become
// kUnknownServerError with its text.
Status KafkaStatus(rd_kafka_resp_err_t error, const std::string& subject);

// How many partitions the topic has; asks the cluster.
Result<int> CountPartitions(rd_kafka_t* client, const std::string& topic,
                            int64_t timeout_ms);

// SIGINT and SIGTERM set what StopRequested() answers instead of killing.
void StopOnSignals();
bool StopRequested();

}  // namespace tidemark::cli
