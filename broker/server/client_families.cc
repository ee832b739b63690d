#include "broker/server/client_families.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace tidemark::server {
namespace {

std::string Clean(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    out.push_back(letter || (digit && !out.empty()) ? c : '_');
  }
  return out.empty() ? "_" : out;
}

std::string FamilyName(std::string_view name) {
  constexpr std::string_view kKafka = "org.apache.kafka.";
  if (name.starts_with(kKafka)) name.remove_prefix(kKafka.size());
  return "kafka_client_" + Clean(name);
}

prometheus::ClientMetric MetricOf(const ClientTelemetry::Series& series,
                                  std::set<std::string>* labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : series.labels) {
    const std::string label = Clean(name);
    // Two that were different before; "__" at the front is Prometheus' own.
    if (label.starts_with("__") || !labels->insert(label).second) continue;
    metric.label.push_back({label, value});
  }
  return metric;
}

}  // namespace

std::vector<prometheus::MetricFamily> FamiliesOf(
    const std::vector<ClientTelemetry::Series>& all) {
  // Clients of several kinds need not agree on the type of a name.
  std::map<std::string, prometheus::MetricFamily> families;
  std::map<std::string, std::set<std::string>> seen;
  for (const ClientTelemetry::Series& series : all) {
    const std::string name = FamilyName(series.name);
    auto [at, added] = families.try_emplace(name);
    prometheus::MetricFamily& family = at->second;
    const auto type = series.counter ? prometheus::MetricType::Counter
                                     : prometheus::MetricType::Gauge;
    if (added) {
      family.name = name;
      family.help = "As clients have pushed it.";
      family.type = type;
    }
    if (family.type != type) continue;
    std::set<std::string> labels;
    prometheus::ClientMetric metric = MetricOf(series, &labels);
    std::string key;
    for (const auto& label : metric.label) {
      key += label.name + '\0' + label.value + '\0';
    }
    if (!seen[name].insert(key).second) continue;
    (series.counter ? metric.counter.value : metric.gauge.value) = series.value;
    family.metric.push_back(std::move(metric));
  }
  std::vector<prometheus::MetricFamily> out;
  for (auto& [name, family] : families) out.push_back(std::move(family));
  return out;
}

}  // namespace tidemark::server
