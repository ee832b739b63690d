#include "broker/server/broker_metrics.h"

#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <cstdio>
#include <iterator>
#include <utility>
#include <vector>

#include "broker/server/client_families.h"
#include "common/kafka/api_key.h"

namespace tidemark::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
 public:
  ClientMetric& Add(const std::string& name, const std::string& help,
                    MetricType type) {
    MetricFamily& family = families_.emplace_back();
    family.name = name;
    family.help = help;
    family.type = type;
    return family.metric.emplace_back();
  }
  void Counter(const std::string& name, const std::string& help, double value) {
    Add(name, help, MetricType::Counter).counter.value = value;
  }
  void Gauge(const std::string& name, const std::string& help, double value) {
    Add(name, help, MetricType::Gauge).gauge.value = value;
  }
  MetricFamily& Empty(const std::string& name, const std::string& help,
                      MetricType type) {
    Add(name, help, type);
    families_.back().metric.clear();
    return families_.back();
  }
  void Add(std::vector<MetricFamily> families) {
    std::move(families.begin(), families.end(), std::back_inserter(families_));
  }
  std::string Render() const {
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  std::vector<MetricFamily> families_;
};

void AddReplicas(const replication::Stats& stats, Families* out) {
  auto of = [](const auto& counter) {
    return static_cast<double>(counter.load(std::memory_order_relaxed));
  };
  out->Counter("kafka_server_brokertopicmetrics_bytesin_total",
               "Bytes appended by producers.", of(stats.bytes_in));
  out->Counter("kafka_server_brokertopicmetrics_bytesout_total",
               "Bytes read by consumers.", of(stats.bytes_out));
  out->Counter("kafka_server_brokertopicmetrics_messagesin_total",
               "Records appended by producers.", of(stats.messages_in));
  out->Counter("tidemark_log_batches_in_total",
               "Batches appended by producers.", of(stats.batches_in));
  out->Counter("kafka_server_brokertopicmetrics_totalproducerequests_total",
               "Produce requests.", of(stats.produce_requests));
  out->Counter("kafka_server_brokertopicmetrics_totalfetchrequests_total",
               "Fetch requests.", of(stats.fetch_requests));
  out->Counter("kafka_server_brokertopicmetrics_failedproducerequests_total",
               "Partitions of produce requests that failed.",
               of(stats.failed_produces));
  out->Counter("kafka_server_brokertopicmetrics_failedfetchrequests_total",
               "Partitions of fetch requests that failed.",
               of(stats.failed_fetches));
  out->Counter("kafka_server_brokertopicmetrics_replicationbytesin_total",
               "Bytes fetched from leaders.", of(stats.replication_bytes_in));
  out->Counter("kafka_server_brokertopicmetrics_replicationbytesout_total",
               "Bytes read by followers.", of(stats.replication_bytes_out));
  out->Counter("kafka_server_replicamanager_isrexpands_total",
               "Replicas that came into an ISR.", of(stats.isr_expands));
  out->Counter("kafka_server_replicamanager_isrshrinks_total",
               "Replicas that left an ISR.", of(stats.isr_shrinks));
  out->Gauge("kafka_server_replicamanager_partitioncount",
             "Replicas on this broker.", of(stats.partitions));
  out->Gauge("kafka_server_replicamanager_leadercount",
             "Partitions this broker leads.", of(stats.leaders));
  out->Gauge("kafka_server_replicamanager_underreplicatedpartitions",
             "Partitions led here with replicas out of sync.",
             of(stats.under_replicated));
  out->Gauge("kafka_server_replicamanager_underminisrpartitioncount",
             "Partitions led here with fewer than min.insync.replicas.",
             of(stats.under_min_isr));
  out->Gauge("kafka_server_replicamanager_offlinereplicacount",
             "Replicas whose log failed.", of(stats.offline));
  out->Counter("tidemark_truncations_below_high_watermark_total",
               "Committed records cut after an unclean election.",
               of(stats.truncations_below_high_watermark));
  out->Counter("tidemark_log_corrupt_reads_total",
               "Reads of this broker's disks that found something else than "
               "was written.",
               of(stats.corrupt_reads));
  out->Counter("tidemark_log_memory_reads_total",
               "Reads that were served from the newest batches in memory.",
               of(stats.memory_reads));
  out->Counter("tidemark_log_cold_reads_total",
               "Reads of what was not in the page cache, by threads that may "
               "wait for the disk.",
               of(stats.cold_reads));
  out->Counter("tidemark_log_cold_waits_total",
               "Reads for which a shard had to wait for the disk itself, "
               "because memory did not hold what was read for it.",
               of(stats.cold_waits));
  out->Gauge("kafka_server_fetchsessioncache_numincrementalfetchsessions",
             "Incremental fetch sessions.", of(stats.fetch_sessions));
}

void AddScrubbing(const log::Scrubber::Counters& scrubbed, Families* out) {
  auto of = [](const auto& counter) {
    return static_cast<double>(counter.load(std::memory_order_relaxed));
  };
  out->Counter("tidemark_log_scrub_bytes_total", "Bytes scrubbed.",
               of(scrubbed.bytes));
  out->Counter("tidemark_log_scrub_segments_total", "Segments scrubbed.",
               of(scrubbed.segments));
  out->Counter("tidemark_log_scrub_periods_total",
               "Times that everything has been scrubbed.",
               of(scrubbed.periods));
  out->Counter("tidemark_log_scrub_damaged_total",
               "Segments that scrubbing has found damaged.",
               of(scrubbed.damaged));
}

void AddCleaning(const log::Cleaner::Counters& cleaned, Families* out) {
  auto of = [](const auto& counter) {
    return static_cast<double>(counter.load(std::memory_order_relaxed));
  };
  out->Counter("tidemark_log_cleaner_read_bytes_total",
               "Bytes of logs that compaction has read.",
               of(cleaned.read_bytes));
  out->Counter("tidemark_log_cleaner_written_bytes_total",
               "Bytes of logs that compaction has written anew.",
               of(cleaned.written_bytes));
  out->Counter("tidemark_log_cleaner_dropped_records_total",
               "Records that compaction has dropped.",
               of(cleaned.dropped_records));
  out->Counter("tidemark_log_cleaner_passes_total",
               "Compactions of a log that came to their end.",
               of(cleaned.passes));
  out->Counter("tidemark_log_cleaner_failed_passes_total",
               "Compactions of a log that failed.", of(cleaned.failed_passes));
  out->Counter("tidemark_log_cleaner_busy_seconds_total",
               "Processor time of compaction.", of(cleaned.busy_nanos) / 1e9);
  out->Counter("tidemark_log_cleaner_rest_seconds_total",
               "Time that compaction has left to those who write.",
               of(cleaned.rest_nanos) / 1e9);
  out->Gauge("kafka_log_logcleanermanager_uncleanable_partitions_count",
             "Logs of which the last compaction has failed.",
             of(cleaned.uncleanable));
  out->Gauge("kafka_log_logcleanermanager_max_dirty_percent",
             "The largest share of a compacted log that is not compacted.",
             of(cleaned.dirtiest_percent));
  const double last = of(cleaned.last_pass_wall_ms);
  out->Gauge(
      "kafka_log_logcleanermanager_time_since_last_run_ms",
      "Since the end of the last compaction; 0: there was none.",
      last == 0 ? 0 : static_cast<double>(SystemClock().WallMs()) - last);
}

void AddCluster(const BrokerMetricsSource& source, Families* out) {
  const metadata::TopicsImage& topics = source.image->topics();
  double alive = 0;
  for (const auto& [id, broker] : source.image->brokers()) {
    if (!broker->fenced) ++alive;
  }
  out->Gauge("kafka_controller_kafkacontroller_offlinepartitionscount",
             "Partitions of the cluster without a leader.",
             static_cast<double>(topics.leaderless().size()));
  out->Gauge("kafka_controller_kafkacontroller_globalpartitioncount",
             "Partitions of the cluster.",
             static_cast<double>(topics.partitions()));
  out->Gauge("kafka_controller_kafkacontroller_globaltopiccount",
             "Topics of the cluster.", static_cast<double>(topics.size()));
  out->Gauge("kafka_controller_kafkacontroller_activebrokercount",
             "Brokers that are not fenced.", alive);
  out->Gauge("tidemark_metadata_offset",
             "Newest metadata in force on this broker.",
             static_cast<double>(source.image->offset()));
  out->Gauge("kafka_log_logmanager_offlinelogdirectorycount",
             "Log directories this broker can no longer use.",
             static_cast<double>(source.offline_directories.size()));
  out->Gauge("tidemark_broker_fenced", "1: fenced by the controllers.",
             source.fenced ? 1 : 0);
}

void AddBudget(const std::string& of, const std::string& what,
               const MemoryBudget& budget, Families* out) {
  const std::string name = "tidemark_" + of + "_memory_";
  out->Gauge(name + "bytes", "Bytes of " + what + ".",
             static_cast<double>(budget.used()));
  out->Gauge(name + "peak_bytes", "The most bytes of " + what + " so far.",
             static_cast<double>(budget.peak()));
  out->Gauge(name + "limit_bytes", "Bound of the bytes of " + what + ".",
             static_cast<double>(budget.limit()));
  out->Gauge(name + "waiting",
             "Connections that wait for memory for " + what + ".",
             static_cast<double>(budget.waiting()));
}

void AddGroups(const coordinator::CoordinatorMemory& memory, Families* out) {
  out->Gauge("tidemark_groups_memory_bytes",
             "Bytes of the members and offsets of groups.",
             static_cast<double>(memory.used()));
  out->Gauge("tidemark_groups_memory_limit_bytes",
             "Bound of the bytes of the members and offsets of groups.",
             static_cast<double>(memory.limit()));
  out->Counter("tidemark_groups_memory_refused_total",
               "Members and offsets that were refused at that bound.",
               static_cast<double>(memory.refused()));
}

void AddAdmission(const Admission& admission, Families* out) {
  out->Gauge("tidemark_connections_limit", "max.connections in force.",
             static_cast<double>(admission.connections.all()));
  AddBudget("request", "requests in flight", *admission.requests, out);
  AddBudget("answer", "answers not yet sent", *admission.answers, out);
}

void AddCertificates(const std::map<std::string, int64_t>& certificates,
                     Families* out) {
  if (certificates.empty()) return;
  auto& family =
      out->Empty("tidemark_certificate_expiry_timestamp_seconds",
                 "When a listener's certificate ends.", MetricType::Gauge);
  for (const auto& [listener, at] : certificates) {
    auto& metric = family.metric.emplace_back();
    metric.label.push_back({"listener", listener});
    metric.gauge.value = static_cast<double>(at);
  }
}

void AddNetwork(const NetworkMetrics& network, Families* out) {
  auto of = [](const auto& counter) {
    return static_cast<double>(counter.load(std::memory_order_relaxed));
  };
  out->Gauge("kafka_server_socketservermetrics_connectioncount",
             "Open connections.", of(network.connections));
  out->Counter("tidemark_connections_accepted_total", "Connections accepted.",
               of(network.accepted));
  out->Counter("tidemark_connections_refused_total",
               "Connections beyond max.connections or max.connections.per.ip.",
               of(network.refused));
  out->Counter("tidemark_connections_stalled_total",
               "Connections closed because they held memory, did not move and "
               "others waited for it.",
               of(network.stalled));
  out->Counter("tidemark_connections_malformed_total",
               "Connections closed for what they sent.", of(network.malformed));
  out->Counter("tidemark_authentications_total",
               "Connections whose client has said who it is by SASL.",
               of(network.authentications));
  out->Counter("tidemark_reauthentications_total",
               "Times a client has said so again (KIP-368).",
               of(network.reauthentications));
  out->Counter("tidemark_authentications_failed_total",
               "Connections closed because a client could not.",
               of(network.authentications_failed));
  out->Counter("tidemark_sessions_expired_total",
               "Connections closed because a client did not in time.",
               of(network.sessions_expired));
  out->Counter("tidemark_tls_handshakes_failed_total",
               "Connections closed because their TLS handshake failed.",
               of(network.handshakes_failed));
  out->Counter("tidemark_network_bytes_in_total", "Bytes of all requests.",
               of(network.bytes_in));
  out->Counter("tidemark_network_bytes_out_total", "Bytes of all answers.",
               of(network.bytes_out));
  MetricFamily& latency = out->Empty(
      "kafka_network_requestmetrics_totaltime_seconds",
      "From the last byte of a request to its answer, waits included.",
      MetricType::Histogram);
  for (size_t key = 0; key < network.apis.size(); ++key) {
    const ApiMetrics& api = network.apis[key];
    ClientMetric metric;
    uint64_t count = 0;
    for (size_t i = 0; i < api.buckets.size(); ++i) {
      count += api.buckets[i].load(std::memory_order_relaxed);
      metric.histogram.bucket.push_back(
          {count, i < kLatencyBucketsUs.size()
                      ? static_cast<double>(kLatencyBucketsUs[i]) / 1e6
                      : std::numeric_limits<double>::infinity()});
    }
    if (count == 0) continue;
    metric.histogram.sample_count = count;
    metric.histogram.sample_sum = of(api.total_us) / 1e6;
    metric.label.push_back(
        {"request", std::string(kafka::ApiName(static_cast<kafka::ApiKey>(
                        static_cast<int16_t>(key))))});
    latency.metric.push_back(std::move(metric));
  }
}

void AddProcess(Families* out) {
  long pages = 0, resident = 0;
  if (FILE* statm = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(statm, "%ld %ld", &pages, &resident) != 2) resident = 0;
    std::fclose(statm);
  }
  out->Gauge("process_resident_memory_bytes", "Memory of this process.",
             static_cast<double>(resident) *
                 static_cast<double>(sysconf(_SC_PAGESIZE)));
}

}  // namespace

std::string RenderMetrics(const BrokerMetricsSource& source) {
  Families families;
  AddReplicas(source.replicas, &families);
  AddCluster(source, &families);
  if (source.scrubbed != nullptr) AddScrubbing(*source.scrubbed, &families);
  if (source.cleaned != nullptr) AddCleaning(*source.cleaned, &families);
  AddCertificates(source.certificates, &families);
  AddNetwork(source.network, &families);
  AddAdmission(source.admission, &families);
  AddGroups(source.groups, &families);
  AddProcess(&families);
  families.Add(FamiliesOf(source.clients));
  families.Counter("tidemark_shard_tasks_total",
                   "Tasks posted to shards by other threads and by themselves.",
                   static_cast<double>(source.posted));
  return families.Render();
}

}  // namespace tidemark::server
