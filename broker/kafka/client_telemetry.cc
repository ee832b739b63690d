#include "broker/kafka/client_telemetry.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "common/base/utf8.h"
#include "common/record/compression.h"
#include "proto/telemetry.pb.h"

namespace tidemark::server {
namespace {

namespace otlp = tidemark::telemetry::v1;

// Of what a push unpacks to, in bytes as sent.
constexpr size_t kMostUnpacked = 8;
constexpr size_t kLongestName = 200;
constexpr size_t kLongestText = 200;
constexpr int kMostAttributes = 8;
constexpr int kForgottenAfter = 3;  // intervals

std::string Text(std::string_view text) {
  return IsUtf8(text) ? std::string(CutUtf8(text, kLongestText)) : "?";
}

std::string TextOf(const otlp::Value& value) {
  switch (value.kind_case()) {
    case otlp::Value::kText:
      return Text(value.text());
    case otlp::Value::kTruth:
      return value.truth() ? "true" : "false";
    case otlp::Value::kWhole:
      return std::to_string(value.whole());
    case otlp::Value::kReal:
      return std::to_string(value.real());
    case otlp::Value::KIND_NOT_SET:
      break;
  }
  return "";
}

struct Points {
  std::vector<ClientTelemetry::Series> series;
  std::vector<bool> deltas;  // whether the value adds to the one before
};

void AddPoints(const std::string& name,
               const google::protobuf::RepeatedPtrField<otlp::Point>& points,
               bool counter, bool delta, size_t most, Points* out) {
  for (const otlp::Point& point : points) {
    if (out->series.size() >= most) return;
    ClientTelemetry::Series& series = out->series.emplace_back();
    out->deltas.push_back(delta);
    series.name = name;
    series.counter = counter;
    series.value = point.as_int() != 0 ? static_cast<double>(point.as_int())
                                       : point.as_double();
    for (const otlp::Attribute& attribute : point.attributes()) {
      if (series.labels.size() >= kMostAttributes) break;
      series.labels.emplace_back(Text(attribute.key()),
                                 TextOf(attribute.value()));
    }
  }
}

Result<Points> Read(const std::string& bytes, size_t most) {
  otlp::MetricsData data;
  if (!data.ParseFromString(bytes)) {
    return Fail(ErrorCode::kInvalidRecord, "no OTLP metrics");
  }
  Points points;
  for (const auto& resource : data.resource_metrics()) {
    for (const auto& scope : resource.scope_metrics()) {
      for (const otlp::Metric& metric : scope.metrics()) {
        if (metric.name().size() > kLongestName || !IsUtf8(metric.name())) {
          continue;
        }
        AddPoints(metric.name(), metric.gauge().data_points(), false, false,
                  most, &points);
        const otlp::Sum& sum = metric.sum();
        AddPoints(metric.name(), sum.data_points(), sum.is_monotonic(),
                  sum.aggregation_temporality() == otlp::DELTA, most, &points);
      }
    }
  }
  return points;
}

// Changes with what is subscribed to, and differs from client to client.
int32_t IdOf(const Uuid& instance, const ClientSubscriptions::Wanted& wanted) {
  size_t id =
      std::hash<Uuid>()(instance) ^
      static_cast<size_t>(wanted.interval / std::chrono::nanoseconds(1));
  for (const std::string& metric : wanted.metrics) {
    id = id * 31 + std::hash<std::string>()(metric);
  }
  return static_cast<int32_t>(id ^ (id >> 32));
}

}  // namespace

void ClientTelemetry::Forget(Instant now) {
  std::erase_if(instances_, [&](const auto& entry) {
    const Instance& one = entry.second;
    const bool gone = now - std::max(one.got, one.pushed) >
                      one.subscription.interval * kForgottenAfter;
    if (gone) series_ -= one.series.size();
    return gone;
  });
  looked_ = now;
}

ClientTelemetry::Instance* ClientTelemetry::Find(const AskingClient& client,
                                                 const Uuid& id,
                                                 const metadata::Image& image,
                                                 Instant now) {
  if (now - looked_ > std::chrono::minutes(1)) Forget(now);
  auto found = instances_.find(id);
  if (found == instances_.end()) {
    if (instances_.size() >= options_.most_clients) return nullptr;
    found = instances_.emplace(id, Instance()).first;
  }
  Instance& one = found->second;
  one.client = client;
  one.client.instance = ToString(id);
  auto wanted = subscriptions_.Of(one.client, image);
  one.subscription = {id, IdOf(id, wanted), wanted.interval,
                      std::move(wanted.metrics)};
  return &one;
}

Result<ClientTelemetry::Subscription> ClientTelemetry::Subscribe(
    const AskingClient& client, const Uuid& instance,
    const metadata::Image& image, Instant now) {
  std::lock_guard lock(mutex_);
  Instance* one =
      Find(client, instance.IsZero() ? Uuid::Random() : instance, image, now);
  if (one == nullptr) return Fail(ErrorCode::kThrottlingQuotaExceeded);
  const Instant last = std::max(one->got, one->pushed);
  const bool early =
      last != Instant() && now - last < one->subscription.interval;
  if (early && !one->refused) return Fail(ErrorCode::kThrottlingQuotaExceeded);
  one->got = now;
  one->refused = false;
  return one->subscription;
}

// In Kafka's order.
Status ClientTelemetry::MayPush(const AskingClient& client, const Push& push,
                                const metadata::Image& image, Instant now) {
  Instance* one = Find(client, push.instance, image, now);
  if (one == nullptr) return Fail(ErrorCode::kThrottlingQuotaExceeded);
  if (one->terminated) {
    return Fail(ErrorCode::kInvalidRequest,
                "it has said that it would send no more");
  }
  const bool first = one->got > one->pushed || one->pushed == Instant();
  const bool early = !first && now - one->pushed < one->subscription.interval;
  if (early && !push.terminating) {
    return Fail(ErrorCode::kThrottlingQuotaExceeded);
  }
  one->pushed = now;
  one->terminated = push.terminating;
  one->refused = true;  // until the rest is right as well
  if (push.subscription != one->subscription.id) {
    return Fail(ErrorCode::kUnknownSubscriptionId);
  }
  if (push.compression < 0 ||
      push.compression > static_cast<int8_t>(record::Codec::kZstd)) {
    return Fail(ErrorCode::kUnsupportedCompressionType);
  }
  one->refused = false;
  if (push.metrics.size() > options_.max_bytes) {
    return Fail(ErrorCode::kTelemetryTooLarge);
  }
  return {};
}

Status ClientTelemetry::Take(const AskingClient& client, const Push& push,
                             const metadata::Image& image, Instant now) {
  if (push.instance.IsZero()) {
    return Fail(ErrorCode::kInvalidRequest, "no client instance id");
  }
  {
    std::lock_guard lock(mutex_);
    TM_RETURN_IF_ERROR(MayPush(client, push, image, now));
  }
  std::string plain(push.metrics);
  if (push.compression != 0 && !push.metrics.empty()) {
    auto unpacked =
        record::Decompress(static_cast<record::Codec>(push.compression),
                           push.metrics, options_.max_bytes * kMostUnpacked);
    if (!unpacked) {
      return Fail(ErrorCode::kInvalidRecord, unpacked.error().message);
    }
    plain = std::move(*unpacked);
  }
  TM_ASSIGN_OR_RETURN(Points points,
                      Read(plain, options_.most_series_of_client));
  Store(push.instance, std::move(points.series), points.deltas);
  return {};
}

void ClientTelemetry::Store(const Uuid& id, std::vector<Series> pushed,
                            const std::vector<bool>& deltas) {
  std::lock_guard lock(mutex_);
  const auto found = instances_.find(id);
  if (found == instances_.end()) return;
  auto& known = found->second.series;
  for (size_t i = 0; i < pushed.size(); ++i) {
    Series& one = pushed[i];
    const std::pair key(one.name, one.labels);
    const auto at = known.find(key);
    if (at != known.end()) {
      if (deltas[i]) one.value += at->second.value;
      at->second = std::move(one);
    } else if (known.size() < options_.most_series_of_client &&
               series_ < options_.most_series) {
      known.emplace(key, std::move(one));
      ++series_;
    }
  }
}

std::vector<ClientTelemetry::Series> ClientTelemetry::All(Instant now) const {
  std::lock_guard lock(mutex_);
  std::vector<Series> all;
  for (const auto& [id, one] : instances_) {
    if (now - one.pushed > one.subscription.interval * kForgottenAfter)
      continue;
    for (const auto& [key, series] : one.series) {
      Series shown = series;
      shown.labels.emplace_back("client_instance_id", one.client.instance);
      shown.labels.emplace_back("client_id", Text(one.client.id));
      all.push_back(std::move(shown));
    }
  }
  return all;
}

}  // namespace tidemark::server
