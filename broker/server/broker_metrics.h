#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/coordinator/machine/coordinator_memory.h"
#include "broker/kafka/admission.h"
#include "broker/kafka/client_telemetry.h"
#include "broker/kafka/network_metrics.h"
#include "broker/log/cleaner.h"
#include "broker/log/scrubber.h"
#include "broker/replication/stats.h"
#include "common/metadata/image.h"

namespace tidemark::server {

// What /metrics answers, from counters that are kept anyway; nothing is done
// for it between two scrapes.
struct BrokerMetricsSource {
  NodeId node = kNoNode;
  const NetworkMetrics& network;
  const Admission& admission;
  const coordinator::CoordinatorMemory& groups;
  replication::Stats replicas;
  metadata::ImagePtr image;
  bool fenced = true;
  std::vector<std::string> offline_directories = {};
  const log::Scrubber::Counters* scrubbed = nullptr;  // if anything is
  const log::Cleaner::Counters* cleaned = nullptr;    // likewise
  uint64_t posted = 0;                                // tasks, to all shards
  // Of listeners with TLS: when their certificates end, Unix time.
  std::map<std::string, int64_t> certificates = {};
  std::vector<ClientTelemetry::Series> clients = {};  // what they pushed
};

// Prometheus text format. Kafka's metrics have the names that its JMX exporter
// gives them.
std::string RenderMetrics(const BrokerMetricsSource& source);

}  // namespace tidemark::server
