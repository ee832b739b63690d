#include "broker/kafka/client_subscriptions.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "common/metadata/client_match.h"
#include "common/metadata/configs.h"

namespace tidemark::server {

using metadata::ResourceType;

struct ClientSubscriptions::One {
  Duration interval = std::chrono::milliseconds(0);
  std::vector<std::string> metrics;
  std::vector<metadata::ClientMatch> match;
};

namespace {

std::string ValueOf(const std::map<std::string, std::string>& settings,
                    std::string_view key) {
  const auto found = settings.find(std::string(key));
  if (found != settings.end()) return found->second;
  for (const ConfigKey& known : metadata::ClientMetricsConfigKeys()) {
    if (known.name == key) return std::string(known.default_value);
  }
  return "";
}

Duration IntervalIn(const std::map<std::string, std::string>& settings) {
  const std::string text = ValueOf(settings, "interval.ms");
  int64_t ms = 0;
  std::from_chars(text.data(), text.data() + text.size(), ms);
  return std::chrono::milliseconds(ms);
}

std::string WhatOf(const AskingClient& client, std::string_view what) {
  if (what == "client_instance_id") return client.instance;
  if (what == "client_id") return client.id;
  if (what == "client_software_name") return client.software_name;
  if (what == "client_software_version") return client.software_version;
  if (what == "client_source_address") return client.address;
  return std::to_string(client.port);
}

bool Matches(const AskingClient& client,
             const std::vector<metadata::ClientMatch>& match) {
  return std::ranges::all_of(match, [&](const metadata::ClientMatch& one) {
    return re2::RE2::FullMatch(WhatOf(client, one.what), *one.pattern);
  });
}

std::vector<std::string> SplitMetrics(std::string_view text) {
  std::vector<std::string> metrics;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (!one.empty()) metrics.emplace_back(one);
  }
  return metrics;
}

}  // namespace

void ClientSubscriptions::Read(const metadata::Image& image) {
  decltype(made_of_) now;
  for (const std::string& name :
       image.configs().Names(ResourceType::kClientMetrics)) {
    const auto* settings =
        image.FindConfigs({ResourceType::kClientMetrics, name});
    if (settings != nullptr) now.emplace_back(name, *settings);
  }
  if (now == made_of_) return;
  made_of_ = std::move(now);
  all_.clear();
  for (const auto& [name, settings] : made_of_) {
    // The controllers have looked at it; a newer release may take more.
    auto match = metadata::ParseClientMatch(ValueOf(settings, "match"));
    if (!match) continue;
    One one;
    one.interval = IntervalIn(settings);
    one.metrics = SplitMetrics(ValueOf(settings, "metrics"));
    one.match = std::move(*match);
    all_.push_back(std::make_shared<const One>(std::move(one)));
  }
}

ClientSubscriptions::Wanted ClientSubscriptions::Of(
    const AskingClient& client, const metadata::Image& image) {
  Read(image);
  Wanted wanted;
  wanted.interval = IntervalIn({});
  for (const auto& one : all_) {
    if (!Matches(client, one->match)) continue;
    wanted.interval = std::min(wanted.interval, one->interval);
    for (const std::string& metric : one->metrics) {
      if (std::ranges::count(wanted.metrics, metric) == 0) {
        wanted.metrics.push_back(metric);
      }
    }
  }
  if (std::ranges::count(wanted.metrics, "*") > 0) wanted.metrics = {"*"};
  return wanted;
}

}  // namespace tidemark::server
