#include "broker/server/broker_metrics.h"

#include <gmock/gmock.h>

namespace tidemark::server {
namespace {

using testing::HasSubstr;

TEST(BrokerMetrics, RendersCountersAndLatencies) {
  NetworkMetrics network;
  network.Observe(3, std::chrono::microseconds(80));
  network.Observe(3, std::chrono::milliseconds(3));
  network.Observe(3, std::chrono::seconds(100));
  network.Observe(-1, std::chrono::seconds(1));
  network.Observe(9999, std::chrono::seconds(1));
  Admission admission(Admission::Options{.answer_bytes = 4711});
  const coordinator::CoordinatorMemory groups(4713);
  replication::Stats stats;
  stats.bytes_in = 12345;
  log::Scrubber::Counters scrubbed;
  scrubbed.bytes = 77;
  log::Cleaner::Counters cleaned;
  cleaned.written_bytes = 78;
  cleaned.uncleanable = 3;
  const std::string text =
      RenderMetrics({1,
                     network,
                     admission,
                     groups,
                     stats,
                     std::make_shared<const metadata::Image>(),
                     true,
                     {},
                     &scrubbed,
                     &cleaned,
                     4712});
  EXPECT_THAT(text,
              HasSubstr("kafka_server_brokertopicmetrics_bytesin_total 12345"));
  EXPECT_THAT(text,
              HasSubstr("totaltime_seconds_count{request=\"Metadata\"} 3"));
  EXPECT_THAT(text, HasSubstr("request=\"Metadata\",le=\"0.0001\"} 1"));
  EXPECT_THAT(text, HasSubstr("request=\"Metadata\",le=\"0.005\"} 2"));
  EXPECT_THAT(text, HasSubstr("request=\"Metadata\",le=\"+Inf\"} 3"));
  EXPECT_THAT(text, HasSubstr("tidemark_broker_fenced 1"));
  EXPECT_THAT(text, HasSubstr("tidemark_log_scrub_bytes_total 77"));
  EXPECT_THAT(text, HasSubstr("tidemark_log_cleaner_written_bytes_total 78"));
  EXPECT_THAT(text, HasSubstr("uncleanable_partitions_count 3"));
  EXPECT_THAT(text, HasSubstr("tidemark_shard_tasks_total 4712"));
  EXPECT_THAT(text, HasSubstr("tidemark_answer_memory_limit_bytes 4711"));
  EXPECT_THAT(text, HasSubstr("tidemark_request_memory_waiting 0"));
  EXPECT_THAT(text, HasSubstr("tidemark_groups_memory_limit_bytes 4713"));
  EXPECT_THAT(text, Not(HasSubstr("request=\"Fetch\"")));
}

}  // namespace
}  // namespace tidemark::server
