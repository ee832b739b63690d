#include "broker/kafka/client_telemetry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/metadata/apply.h"
#include "common/record/compression.h"
#include "proto/telemetry.pb.h"

namespace tidemark::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr Instant kStart{std::chrono::hours(1)};

class ClientTelemetryTest : public testing::Test {
 protected:
  void Set(const std::string& name, const std::string& key,
           const std::string& value) {
    metadata::v1::RecordBatch batch;
    auto* level = batch.add_records()->mutable_set_feature();
    level->set_name(metadata::kMetadataVersion);
    level->set_level(metadata::kNewestLevel);
    auto* set = batch.add_records()->mutable_set_config();
    set->set_type(metadata::v1::CLIENT_METRICS);
    set->set_name(name);
    set->set_key(key);
    set->set_value(value);
    auto next =
        metadata::ApplyBatch(image_, batch, image_->offset() + 1, nullptr);
    ASSERT_TRUE(next) << ToString(next.error());
    image_ = *next;
  }
  void SubscribeAll() {
    Set("all", "metrics", "*");
    Set("all", "interval.ms", "1000");
  }
  static ClientTelemetry::Options Few() {
    ClientTelemetry::Options options;
    options.max_bytes = 1000;
    options.most_clients = 2;
    options.most_series_of_client = 3;
    options.most_series = 4;
    return options;
  }
  Result<ClientTelemetry::Subscription> Ask(const Uuid& id = Uuid(),
                                            Duration after = 0s) {
    return telemetry_.Subscribe(client_, id, *image_, kStart + after);
  }
  Status Push(const ClientTelemetry::Subscription& to,
              const std::string& metrics, Duration after = 0s, int8_t codec = 0,
              bool terminating = false) {
    return telemetry_.Take(client_,
                           {to.instance, to.id, terminating, codec, metrics},
                           *image_, kStart + after);
  }
  static std::string Sum(const std::string& name, double value,
                         telemetry::v1::Temporality temporality) {
    telemetry::v1::MetricsData data;
    auto* metric =
        data.add_resource_metrics()->add_scope_metrics()->add_metrics();
    metric->set_name(name);
    metric->mutable_sum()->set_is_monotonic(true);
    metric->mutable_sum()->set_aggregation_temporality(temporality);
    metric->mutable_sum()->add_data_points()->set_as_double(value);
    return data.SerializeAsString();
  }
  static std::string Gauges(int count) {
    telemetry::v1::MetricsData data;
    auto* scope = data.add_resource_metrics()->add_scope_metrics();
    for (int i = 0; i < count; ++i) {
      auto* metric = scope->add_metrics();
      metric->set_name("g" + std::to_string(i));
      auto* point = metric->mutable_gauge()->add_data_points();
      point->set_as_int(i + 7);
      auto* attribute = point->add_attributes();
      attribute->set_key("topic");
      attribute->mutable_value()->set_text("t");
    }
    return data.SerializeAsString();
  }
  ErrorCode CodeOf(const Status& status) {
    return status ? ErrorCode::kNone : status.error().code;
  }

  metadata::ImagePtr image_ = std::make_shared<const metadata::Image>();
  ClientTelemetry telemetry_{Few()};
  AskingClient client_{"", "app-7", "librdkafka", "2.11.0", "10.0.0.9", 999};
};

TEST_F(ClientTelemetryTest, ToWhomNobodySubscribesIsAskedForNothing) {
  const auto wanted = Ask().value();
  EXPECT_FALSE(wanted.instance.IsZero());
  EXPECT_THAT(wanted.metrics, IsEmpty());
  EXPECT_EQ(wanted.interval, 300s);
}

TEST_F(ClientTelemetryTest, AllPatternsOfASubscriptionHaveToMatch) {
  Set("one", "metrics", "a., b.");
  Set("one", "interval.ms", "5000");
  Set("one", "match", "client_id=app-.*,client_source_port=9+");
  Set("two", "metrics", "b.,c.");
  Set("two", "interval.ms", "7000");
  Set("two", "match", "client_software_name=librdkafka,client_id=other");
  Set("three", "metrics", "d.");
  Set("three", "match",
      "client_source_address=10[.].*,client_software_version=2.*");
  const auto wanted = Ask().value();
  EXPECT_THAT(wanted.metrics, ElementsAre("a.", "b.", "d."));
  EXPECT_EQ(wanted.interval, 5s);
  Set("three", "metrics", "*");
  const auto other = Ask().value();
  EXPECT_THAT(other.metrics, ElementsAre("*"));
  EXPECT_NE(other.id, wanted.id);
}

TEST_F(ClientTelemetryTest, WhatIsPushedIsShown) {
  SubscribeAll();
  const auto to = Ask().value();
  const auto plain = Gauges(1);
  ASSERT_TRUE(Push(to, record::Compress(record::Codec::kZstd, plain), 0s, 4));
  const auto all = telemetry_.All(kStart);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name, "g0");
  EXPECT_EQ(all[0].value, 7);
  EXPECT_FALSE(all[0].counter);
  EXPECT_THAT(all[0].labels, ElementsAre(std::pair("topic", "t"),
                                         std::pair("client_instance_id",
                                                   ToString(to.instance)),
                                         std::pair("client_id", "app-7")));
  EXPECT_THAT(telemetry_.All(kStart + 4s), IsEmpty()) << "it has gone";
}

TEST_F(ClientTelemetryTest, DeltasAddUp) {
  SubscribeAll();
  const auto to = Ask().value();
  ASSERT_TRUE(Push(to, Sum("s", 3, telemetry::v1::DELTA)));
  ASSERT_TRUE(Push(to, Sum("s", 4, telemetry::v1::DELTA), 1s));
  EXPECT_EQ(telemetry_.All(kStart + 1s).at(0).value, 7);
  EXPECT_TRUE(telemetry_.All(kStart + 1s).at(0).counter);
  ASSERT_TRUE(Push(to, Sum("s", 5, telemetry::v1::CUMULATIVE), 2s));
  EXPECT_EQ(telemetry_.All(kStart + 2s).at(0).value, 5);
}

// Codes and their order as Kafka's.
TEST_F(ClientTelemetryTest, WhoDoesNotKeepToItIsTold) {
  SubscribeAll();
  const auto to = Ask().value();
  const auto early = Ask(to.instance, 900ms);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, ErrorCode::kThrottlingQuotaExceeded);
  ASSERT_TRUE(Push(to, ""));
  EXPECT_EQ(CodeOf(Push(to, "", 100ms)), ErrorCode::kThrottlingQuotaExceeded);
  auto wrong = to;
  wrong.id += 1;
  EXPECT_EQ(CodeOf(Push(wrong, "", 1s)), ErrorCode::kUnknownSubscriptionId);
  EXPECT_TRUE(Ask(to.instance, 1s)) << "it has to ask again";
  EXPECT_EQ(CodeOf(Push(to, std::string(1001, 'x'), 2s)),
            ErrorCode::kTelemetryTooLarge);
  EXPECT_EQ(CodeOf(Push(to, "no OTLP", 3s)), ErrorCode::kInvalidRecord);
  EXPECT_EQ(CodeOf(Push(to, "no zstd", 4s, 4)), ErrorCode::kInvalidRecord);
  const std::string zeros(100'000, '\0');
  EXPECT_EQ(
      CodeOf(Push(to, record::Compress(record::Codec::kZstd, zeros), 5s, 4)),
      ErrorCode::kInvalidRecord)
      << "it unpacks to too much";
  EXPECT_EQ(CodeOf(Push(to, "", 6s, 9)),
            ErrorCode::kUnsupportedCompressionType);
  EXPECT_EQ(CodeOf(Push(to, "", 7s, -1)),
            ErrorCode::kUnsupportedCompressionType);
  EXPECT_TRUE(Push(to, "", 7s + 1ms, 0, true)) << "the last one may be early";
  EXPECT_EQ(CodeOf(Push(to, "", 9s)), ErrorCode::kInvalidRequest);
  wrong.instance = Uuid();
  EXPECT_EQ(CodeOf(Push(wrong, "", 9s)), ErrorCode::kInvalidRequest);
}

TEST_F(ClientTelemetryTest, NobodyMakesItGrow) {
  SubscribeAll();
  const auto one = Ask().value();
  const auto two = Ask().value();
  EXPECT_FALSE(Ask());
  ASSERT_TRUE(Push(one, Gauges(9)));
  EXPECT_EQ(telemetry_.All(kStart).size(), 3u) << "of one client";
  ASSERT_TRUE(Push(two, Gauges(9)));
  EXPECT_EQ(telemetry_.All(kStart).size(), 4u) << "of all";
  EXPECT_TRUE(Ask(Uuid(), 62s)) << "the others have gone";
  EXPECT_THAT(telemetry_.All(kStart + 62s), IsEmpty());
}

}  // namespace
}  // namespace tidemark::server
