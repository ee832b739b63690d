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
  // One of them, of the peer with this id.
  void OfPeer(const char* name, const char* help, MetricType type, NodeId id,
              double value) {
    if (families_.empty() || families_.back().name != name) {
      MetricFamily& family = families_.emplace_back();
      family.name = name;
      family.help = help;
      family.type = type;
    }
    ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label.push_back({"voter", std::to_string(id)});
    (type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) =
        value;
  }
  // As `name`_seconds_count, _sum and _longest.
  void Times(const std::string& name, const std::string& help, uint64_t count,
             Duration sum, Duration longest) {
    auto seconds = [](Duration d) {
      return std::chrono::duration<double>(d).count();
    };
    Counter((name + "_seconds_count").c_str(), help.c_str(),
            static_cast<double>(count));
    Counter((name + "_seconds_sum").c_str(), help.c_str(), seconds(sum));
    Gauge((name + "_seconds_longest").c_str(), help.c_str(), seconds(longest));
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

void AddQuorum(const quorum::QuorumStatus& status, Families* out) {
  const auto& times = status.times;
  out->Times("tidemark_raft_commit", "From proposal to applied",
             times.commit.count, times.commit.sum, times.commit.longest);
  out->Times("tidemark_raft_disk_write", "Writes of the raft log, synced",
             times.write.count, times.write.sum, times.write.longest);
  out->Times("tidemark_raft_snapshot", "Taking and storing snapshots",
             times.snapshot.count, times.snapshot.sum, times.snapshot.longest);
  out->Gauge("tidemark_raft_snapshot_bytes",
             "Size of the newest snapshot taken",
             static_cast<double>(status.snapshot_bytes));
  out->Gauge("tidemark_raft_disk_full",
             "1 while this node writes nothing for want of room",
             status.disk_full ? 1 : 0);
  out->Counter("tidemark_raft_elections_lost_total",
               "Elections in which this node asked for votes in vain",
               static_cast<double>(status.elections_lost));
  for (const auto& peer : status.peers) {
    out->OfPeer("tidemark_raft_voter_lag_entries",
                "Entries that the voter lacks (active controller)",
                MetricType::Gauge, peer.voter.id,
                status.leader == status.self
                    ? static_cast<double>(status.last - peer.match)
                    : 0);
  }
  for (const auto& peer : status.peers) {
    out->OfPeer("tidemark_raft_messages_dropped_total",
                "Messages to the voter that did not fit into its queue",
                MetricType::Counter, peer.voter.id,
                static_cast<double>(peer.dropped_messages));
  }
}

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
  out.Gauge("tidemark_controller_reassigning_partitions",
            "Partitions that move to other brokers",
            static_cast<double>(counts.moving));
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
  out.Gauge("tidemark_controller_feed_queued_messages",
            "Messages that wait to be sent to the brokers",
            static_cast<double>(view.feed_queue.messages));
  out.Gauge("tidemark_controller_feed_queued_bytes",
            "Bytes of them; each counts for every broker that it waits for",
            static_cast<double>(view.feed_queue.bytes));
  out.Gauge("tidemark_controller_metadata_version",
            "metadata.version that the cluster works at",
            view.image->features().metadata_version());
  out.Gauge("tidemark_controller_metadata_version_on_disk",
            "metadata.version that a release must support to start from this "
            "controller's disk",
            view.level_on_disk);
  out.Gauge("tidemark_raft_leader",
            "Id of the quorum's leader, -1 when unknown", view.quorum.leader);
  out.Gauge("tidemark_raft_term", "Raft term",
            static_cast<double>(view.quorum.term));
  out.Gauge("tidemark_raft_last_offset", "Last offset in this node's log",
            static_cast<double>(view.quorum.last));
  out.Gauge("tidemark_raft_snapshot_offset", "Offset of the newest snapshot",
            static_cast<double>(view.quorum.snapshot));
  AddQuorum(view.quorum, &out);
  out.Times("tidemark_controller_loop_lag",
            "How late the controller's loop gets to its tasks", view.loop.count,
            view.loop.sum, view.loop.longest);
  return out.Render();
}

}  // namespace tidemark::controller
