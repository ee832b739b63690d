#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "broker/kafka/client_telemetry.h"

namespace tidemark::server {

// What clients have pushed in Prometheus' form: org.apache.kafka.producer.X is
// kafka_client_producer_X, any other name A.B is kafka_client_A_B. Pure.
std::vector<prometheus::MetricFamily> FamiliesOf(
    const std::vector<ClientTelemetry::Series>& series);

}  // namespace tidemark::server
