#include "broker/server/client_families.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

namespace tidemark::server {
namespace {

using Series = ClientTelemetry::Series;

TEST(ClientFamilies, HaveNamesThatPrometheusTakes) {
  const auto families = FamiliesOf({
      Series{"org.apache.kafka.producer.record-send.total",
             {{"9topic", "a\"b"}, {"__x", "y"}},
             true,
             3},
      Series{"org.apache.kafka.producer.record-send.total", {}, true, 4},
      // The same once more, and one of another type.
      Series{"org.apache.kafka.producer.record.send.total", {}, true, 5},
      Series{"org.apache.kafka.producer.record-send.total", {}, false, 6},
      Series{"", {{"a.b", "1"}, {"a-b", "2"}}, false, 0.5},
  });
  EXPECT_EQ(prometheus::TextSerializer().Serialize(families),
            "# HELP kafka_client__ As clients have pushed it.\n"
            "# TYPE kafka_client__ gauge\n"
            "kafka_client__{a_b=\"1\"} 0.5\n"
            "# HELP kafka_client_producer_record_send_total As clients have "
            "pushed it.\n"
            "# TYPE kafka_client_producer_record_send_total counter\n"
            "kafka_client_producer_record_send_total{_topic=\"a\\\"b\"} 3\n"
            "kafka_client_producer_record_send_total 4\n");
}

}  // namespace
}  // namespace tidemark::server
