// tidemark-workload: the load of the chaos tests and of scripts/quickstart, a
// plain Kafka client (librdkafka) that writes down everything it sees.
//
//   tidemark-workload create  --bootstrap B --topic T [--partitions N]
//                             [--replication-factor R] [--seconds S]
//   tidemark-workload produce --bootstrap B --topic T --id ID --log FILE
//                             [--partitions N] [--rate R] [--count C]
//   tidemark-workload consume --bootstrap B --topic T --log FILE
//                             [--group G] [--count C] [--seconds S]
//                             [--debug CONTEXTS of librdkafka, to stderr]
//   tidemark-workload read    --bootstrap B --topic T --log FILE
//                             [--partitions N] [--seconds S]
//
// create tries until the topic can be created and prints the milliseconds it
// took. produce sends, to each partition in turn, records "ID SEQUENCE" with
// a sequence per partition, idempotent and with acks=all, until it has sent
// C or gets SIGTERM, then waits for every answer. consume is one member of a
// group. read reads each partition from its beginning to the end it had when
// reading began.
//
// A log has a line per event, times in CLOCK_MONOTONIC milliseconds:
//   produce: "A PARTITION SEQUENCE OFFSET MS" acknowledged,
//            "F PARTITION SEQUENCE ERROR MS" given up: its outcome is unknown
//   consume, read: "R PARTITION OFFSET ID SEQUENCE MS"
//   consume: "G ASSIGNED MS" after every rebalance
#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "tests/chaos/client.h"

namespace {

using namespace tidemark::chaos;  // NOLINT

std::atomic<bool> stop{false};
FILE* out = nullptr;

// --- create ---

// Empty when the topic is there; else why it isn't.
std::string TryCreate(rd_kafka_t* client, const Options& options) {
  char why[256];
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(
      Get(options, "topic").c_str(),
      static_cast<int>(Number(options, "partitions", "6")),
      static_cast<int>(Number(options, "replication-factor", "-1")), why,
      sizeof why);
  if (topic == nullptr) Die(why);
  rd_kafka_AdminOptions_t* admin =
      rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
  rd_kafka_AdminOptions_set_request_timeout(admin, 2000, why, sizeof why);
  rd_kafka_AdminOptions_set_operation_timeout(admin, 1000, why, sizeof why);
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_CreateTopics(client, &topic, 1, admin, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, 3000);
  std::string failure = event == nullptr ? "no answer" : "";
  if (event != nullptr && rd_kafka_event_error(event) != 0) {
    failure = rd_kafka_event_error_string(event);
  } else if (event != nullptr) {
    size_t count = 0;
    const rd_kafka_topic_result_t** results =
        rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(event), &count);
    if (count != 1) Die("an answer without its topic");
    rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[0]);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR &&
        error != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      failure = rd_kafka_err2name(error);
    }
  }
  if (event != nullptr) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_AdminOptions_destroy(admin);
  rd_kafka_NewTopic_destroy(topic);
  return failure;
}

int Create(const Options& options) {
  rd_kafka_t* client = NewClient(RD_KAFKA_PRODUCER, options, {});
  int64_t began = NowMs();
  int64_t end = began + Number(options, "seconds", "60") * 1000;
  std::string failure;
  while (!(failure = TryCreate(client, options)).empty()) {
    if (NowMs() > end) Die("could not create the topic: " + failure);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::printf("%lld\n", static_cast<long long>(NowMs() - began));
  rd_kafka_destroy(client);
  return 0;
}

// --- produce ---

int64_t acknowledged = 0, failed = 0;

void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto sequence =
      static_cast<long long>(reinterpret_cast<intptr_t>(message->_private));
  auto now = static_cast<long long>(NowMs());
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++acknowledged;
    std::fprintf(out, "A %d %lld %lld %lld\n", message->partition, sequence,
                 static_cast<long long>(message->offset), now);
  } else {
    ++failed;
    std::fprintf(out, "F %d %lld %s %lld\n", message->partition, sequence,
                 rd_kafka_err2name(message->err), now);
  }
}

int Produce(const Options& options) {
  rd_kafka_t* client = NewClient(RD_KAFKA_PRODUCER, options,
                                 {{"enable.idempotence", "true"},
                                  {"acks", "all"},
                                  {"linger.ms", "2"},
                                  {"retry.backoff.ms", "20"},
                                  {"request.timeout.ms", "2000"},
                                  {"message.timeout.ms", "300000"}},
                                 OnDelivery);
  const std::string id = Get(options, "id");
  const int64_t partitions = Number(options, "partitions", "6");
  const int64_t rate = Number(options, "rate", "1000");
  const int64_t count = Number(options, "count", "0");
  rd_kafka_topic_t* topic =
      rd_kafka_topic_new(client, Get(options, "topic").c_str(), nullptr);
  if (partitions < 1 || rate < 1) Die("want at least one partition and rate");
  const int64_t began = NowMs();
  int64_t sent = 0;
  while (!stop && (count == 0 || sent < count)) {
    const int64_t due = (NowMs() - began) * rate / 1000;
    while (!stop && sent < due && (count == 0 || sent < count)) {
      const int64_t sequence = sent / partitions;
      std::string value = id + " " + std::to_string(sequence);
      int failure = rd_kafka_produce(
          topic, static_cast<int32_t>(sent % partitions), RD_KAFKA_MSG_F_COPY,
          value.data(), value.size(), nullptr, 0,
          reinterpret_cast<void*>(static_cast<intptr_t>(sequence)));
      if (failure != 0) {
        if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__FATAL) {
          char why[512] = "";
          (void)rd_kafka_fatal_error(client, why, sizeof why);
          Die(std::string("no longer idempotent: ") + why);
        }
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
          Die(rd_kafka_err2str(rd_kafka_last_error()));
        }
        break;
      }
      ++sent;
    }
    rd_kafka_poll(client, 1);
  }
  rd_kafka_flush(client, 120000);
  std::printf("sent=%lld acknowledged=%lld failed=%lld unanswered=%d\n",
              static_cast<long long>(sent),
              static_cast<long long>(acknowledged),
              static_cast<long long>(failed), rd_kafka_outq_len(client));
  bool clean = acknowledged == sent;
  rd_kafka_topic_destroy(topic);
  rd_kafka_destroy(client);
  return clean ? 0 : 1;
}

// --- consume and read ---
//
// A consumer is closed, never destroyed: after brokers have gone away,
// rd_kafka_destroy of librdkafka 2.0 may wait for ever. The process ends.

// Writes the record down; false when it is none of ours.
bool LogRecord(const rd_kafka_message_t* message) {
  std::string value(static_cast<const char*>(message->payload), message->len);
  char id[64];
  long long sequence = 0;
  if (std::sscanf(value.c_str(), "%63s %lld", id, &sequence) != 2) return false;
  std::fprintf(out, "R %d %lld %s %lld %lld\n", message->partition,
               static_cast<long long>(message->offset), id, sequence,
               static_cast<long long>(NowMs()));
  return true;
}

void OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t event,
                 rd_kafka_topic_partition_list_t* partitions, void*) {
  bool assigned = event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  rd_kafka_assign(client, assigned ? partitions : nullptr);
  std::fprintf(out, "G %d %lld\n", assigned ? partitions->cnt : 0,
               static_cast<long long>(NowMs()));
}

int Consume(const Options& options) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[512];
  for (auto [name, value] : std::vector<std::pair<const char*, std::string>>{
           {"bootstrap.servers", Get(options, "bootstrap")},
           {"group.id", Get(options, "group", "workload")},
           {"auto.offset.reset", "earliest"},
           {"auto.commit.interval.ms", "500"},
           {"session.timeout.ms", "6000"},
           {"heartbeat.interval.ms", "500"},
           {"fetch.wait.max.ms", "100"},
           {"fetch.error.backoff.ms", "20"},
           {"reconnect.backoff.ms", "20"},
           {"reconnect.backoff.max.ms", "200"},
           {"topic.metadata.refresh.fast.interval.ms", "50"},
           {"topic.metadata.refresh.interval.ms", "2000"},
           {"socket.timeout.ms", "3000"},
           {"broker.address.family", "v4"},
           {"debug", Get(options, "debug", "")}}) {
    if (value.empty()) continue;
    if (rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
      Die(why);
    }
  }
  rd_kafka_conf_set_rebalance_cb(conf, OnRebalance);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  if (client == nullptr) Die(why);
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_partition_list_t* topics =
      rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, Get(options, "topic").c_str(),
                                    RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(client, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  const int64_t count = Number(options, "count", "0");
  const int64_t seconds = Number(options, "seconds", "0");
  const int64_t end = seconds == 0 ? INT64_MAX : NowMs() + seconds * 1000;
  int64_t read = 0;
  while (!stop && NowMs() < end && (count == 0 || read < count)) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 100);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) read += LogRecord(message);
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(client);
  std::printf("read=%lld\n", static_cast<long long>(read));
  return 0;
}

int Read(const Options& options) {
  rd_kafka_t* client = NewClient(RD_KAFKA_CONSUMER, options,
                                 {{"group.id", "workload-read"},
                                  {"enable.auto.commit", "false"},
                                  {"enable.partition.eof", "true"},
                                  {"fetch.wait.max.ms", "50"},
                                  {"auto.offset.reset", "error"}});
  rd_kafka_poll_set_consumer(client);
  const std::string topic = Get(options, "topic");
  const auto partitions =
      static_cast<int32_t>(Number(options, "partitions", "6"));
  const int64_t end = NowMs() + Number(options, "seconds", "120") * 1000;
  std::map<int32_t, int64_t> left;  // partition -> end offset
  rd_kafka_topic_partition_list_t* assigned =
      rd_kafka_topic_partition_list_new(partitions);
  for (int32_t p = 0; p < partitions; ++p) {
    int64_t low = 0, high = 0;
    while (rd_kafka_query_watermark_offsets(client, topic.c_str(), p, &low,
                                            &high, 5000) != 0) {
      if (NowMs() > end) Die("cannot list the offsets of " + topic);
    }
    rd_kafka_topic_partition_list_add(assigned, topic.c_str(), p)->offset = low;
    if (low < high) left[p] = high;
  }
  rd_kafka_assign(client, assigned);
  int64_t read = 0;
  while (!left.empty()) {
    if (NowMs() > end) Die("could not read to the end in time");
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 100);
    if (message == nullptr) continue;
    auto at = left.find(message->partition);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      read += LogRecord(message);
      if (at != left.end() && message->offset + 1 >= at->second) left.erase(at);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (at != left.end() && message->offset >= at->second) left.erase(at);
    } else if (message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE ||
               message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
      Die(rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_topic_partition_list_destroy(assigned);
  rd_kafka_consumer_close(client);
  std::printf("read=%lld\n", static_cast<long long>(read));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "--help";
  const Options options = ParseOptions(argc, argv);
  std::signal(SIGTERM, [](int) { stop = true; });
  std::signal(SIGINT, [](int) { stop = true; });
  if (verb == "create") return Create(options);
  const bool logs = verb == "produce" || verb == "consume" || verb == "read";
  if (!logs) {
    std::puts(
        "usage: tidemark-workload create|produce|consume|read --bootstrap "
        "HOST:PORT --topic NAME [--log FILE] [option value]...");
    return verb == "--help" ? 0 : 2;
  }
  out = std::fopen(Get(options, "log").c_str(), "w");
  if (out == nullptr) Die("cannot write the log");
  // Whoever waits for a record to be read sees it at once.
  if (verb == "consume") std::setvbuf(out, nullptr, _IOLBF, 1 << 16);
  int result = verb == "produce"   ? Produce(options)
               : verb == "consume" ? Consume(options)
                                   : Read(options);
  if (std::fclose(out) != 0) Die("cannot write the log");
  std::fflush(stdout);
  std::_Exit(result);
}
