#include "controller/console/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <sstream>
#include <vector>

#include "controller/metadata/describe.h"

namespace tidemark::controller {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
 public:
  void Gauge(const char* name, const char* help, double value) {
    Add(name, help, MetricType::Gauge).gauge.value = value;
  }
  void Counter(const char* name, const char* help, double value) {
    Add(name, help, MetricType::Counter).counter.value = value;
  }
  std::string Render() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  ClientMetric& Add(const char* name, const char* help, MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
    return family.metric.emplace_back();
  }
  std::vector<MetricFamily> families_;
};

}  // namespace

std::string RenderMetrics(const MetricsView& view) {
  Counts counts = Count(*view.image);
  Families out;
  // Kafka's kafka.controller and kafka.server:type=raft-metrics, in
  // Prometheus's spelling.
  out.Gauge("kafka_controller_kafkacontroller_activecontrollercount",
            "1 on the active controller", view.active ? 1 : 0);
  out.Gauge("kafka_controller_kafkacontroller_activebrokercount",
            "Brokers in service", static_cast<double>(counts.active_brokers));
  out.Gauge("kafka_controller_kafkacontroller_fencedbrokercount",
            "Registered brokers not in service",
            static_cast<double>(counts.fenced_brokers));
  out.Gauge("kafka_controller_kafkacontroller_globaltopiccount", "Topics",
            static_cast<double>(counts.topics));
  out.Gauge("kafka_controller_kafkacontroller_globalpartitioncount",
            "Partitions", static_cast<double>(counts.partitions));
  out.Gauge("kafka_controller_kafkacontroller_offlinepartitionscount",
            "Partitions without a leader", static_cast<double>(counts.offline));
  out.Gauge("kafka_controller_kafkacontroller_preferredreplicaimbalancecount",
            "Partitions not led by their preferred replica",
            static_cast<double>(counts.not_preferred));
  out.Gauge("kafka_controller_kafkacontroller_lastappliedrecordoffset",
            "Last metadata offset applied",
            static_cast<double>(view.image->offset()));
  out.Gauge("kafka_controller_kafkacontroller_lastcommittedrecordoffset",
            "Last metadata offset committed",
            static_cast<double>(view.quorum.committed));
  out.Counter(
      "kafka_controller_kafkacontroller_newactivecontrollerscount_total",
      "Times this controller became active",
      static_cast<double>(view.counters.became_active));
  out.Counter("kafka_controller_kafkacontroller_timedoutbrokerheartbeatcount",
              "Brokers fenced because they were lost",
              static_cast<double>(view.counters.fenced_lost));
  out.Counter(
      "kafka_controller_controllerstats_uncleanleaderelectionspersec_total",
      "Unclean leader elections",
      static_cast<double>(view.counters.unclean_elections));
  out.Gauge("tidemark_controller_under_replicated_partitions",
            "Partitions with replicas out of sync",
            static_cast<double>(counts.under_replicated));
  out.Gauge("tidemark_controller_feed_subscribers",
            "Open metadata feeds (active controller)",
            static_cast<double>(view.feed_subscribers));
  out.Gauge("tidemark_raft_leader",
            "Id of the quorum's leader, -1 when unknown", view.quorum.leader);
  out.Gauge("tidemark_raft_term", "Raft term",
            static_cast<double>(view.quorum.term));
  out.Gauge("tidemark_raft_last_offset", "Last offset in this node's log",
            static_cast<double>(view.quorum.last));
  out.Gauge("tidemark_raft_snapshot_offset", "Offset of the newest snapshot",
            static_cast<double>(view.quorum.snapshot));
  return out.Render();
}

}  // namespace tidemark::controller
