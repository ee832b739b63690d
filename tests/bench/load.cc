// tidemark-load: the load of scripts/bench, a plain Kafka client (librdkafka).
//
//   tidemark-load produce --bootstrap B --topic T --partitions N --records R
//                         [--size 1024] [--acks all] [--rate R/s] [--batch
//                         BYTES]
//                         [--linger MS] [--keys K=0: none]
//   tidemark-load latency --bootstrap B --topic T --records R [--size 1024]
//                         [--acks all] [--partitions N]
//   tidemark-load consume --bootstrap B --topic T --partitions N [--seconds S]
//                         [--isolation read_uncommitted]
//   tidemark-load transact --bootstrap B --topic T [--partitions 3]
//                          [--records 10] [--producers 1] [--seconds 10]
//
// produce sends records of SIZE bytes to the partitions in turn, idempotent,
// as fast as the client can or at a rate, with random keys of 16 bytes among K;
// latency sends one record, waits for its acknowledgement, and sends the next;
// consume reads all partitions from the beginning to the ends they had when it
// began; transact commits one transaction of RECORDS records over the
// partitions after the other, with so many producers at once, and its latencies
// are those of the commits. Each prints one line of JSON: records, seconds
// (first send to last acknowledgement), failed, the CPU seconds of this
// process, and latencies in microseconds at some percentiles (produce: from the
// hand-over to the client to the acknowledgement).
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using Options = std::map<std::string, std::string>;

[[noreturn]] void Die(const std::string& text) {
  std::fprintf(stderr, "tidemark-load: %s\n", text.c_str());
  std::exit(1);
}

int64_t NowUs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

double CpuSeconds() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::string Get(const Options& options, const std::string& name,
                const char* otherwise = nullptr) {
  const auto found = options.find(name);
  if (found != options.end()) return found->second;
  if (otherwise == nullptr) Die("--" + name + " is missing");
  return otherwise;
}

int64_t Number(const Options& options, const std::string& name,
               const char* otherwise = nullptr) {
  const std::string text = Get(options, name, otherwise);
  char* end = nullptr;
  const int64_t value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') Die("--" + name + " wants a number");
  return value;
}

struct Outcome {
  std::vector<int64_t> latencies_us;
  int64_t failed = 0;
  int64_t last_us = 0;
};

void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* outcome = static_cast<Outcome*>(opaque);
  outcome->last_us = NowUs();
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++outcome->failed;
    return;
  }
  outcome->latencies_us.push_back(
      outcome->last_us -
      static_cast<int64_t>(reinterpret_cast<intptr_t>(message->_private)));
}

rd_kafka_t* NewClient(
    rd_kafka_type_t type, const Options& options,
    const std::vector<std::pair<const char*, std::string>>& more,
    Outcome* outcome) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[512];
  const auto set = [&](const char* name, const std::string& value) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) !=
        RD_KAFKA_CONF_OK) {
      Die(why);
    }
  };
  set("bootstrap.servers", Get(options, "bootstrap"));
  set("broker.address.family", "v4");
  for (const auto& [name, value] : more) set(name, value);
  if (outcome != nullptr) {
    rd_kafka_conf_set_opaque(conf, outcome);
    rd_kafka_conf_set_dr_msg_cb(conf, OnDelivery);
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, why, sizeof why);
  if (client == nullptr) Die(why);
  return client;
}

// Of the curve of latencies, closer together the rarer.
constexpr double kPercents[] = {0,    10,   20,    30,    40,   50, 60,
                                70,   80,   90,    95,    98,   99, 99.5,
                                99.8, 99.9, 99.95, 99.98, 99.99};

void Print(int64_t records, double seconds, double cpu, Outcome& outcome) {
  std::printf(
      "{\"records\": %lld, \"seconds\": %.4f, \"failed\": %lld, "
      "\"client_cpu\": %.2f",
      static_cast<long long>(records), seconds,
      static_cast<long long>(outcome.failed), cpu);
  std::vector<int64_t>& all = outcome.latencies_us;
  std::sort(all.begin(), all.end());
  const auto at = [&](double share) {
    const auto i = static_cast<size_t>(share * static_cast<double>(all.size()));
    return static_cast<long long>(all[std::min(i, all.size() - 1)]);
  };
  if (!all.empty()) {
    std::printf(", \"p50\": %lld, \"p99\": %lld, \"max\": %lld, \"curve\": [",
                at(0.5), at(0.99), at(1));
    const char* comma = "";
    for (const double percent : kPercents) {
      std::printf("%s[%g, %lld]", comma, percent, at(percent / 100));
      comma = ", ";
    }
    std::printf("]");
  }
  std::printf("}\n");
}

// Leaders are known and connections are made before the clock starts.
void WarmUp(rd_kafka_t* client, rd_kafka_topic_t* topic, int64_t partitions,
            std::string& value, const std::string& key, Outcome& outcome) {
  for (int64_t p = 0; p < partitions; ++p) {
    if (rd_kafka_produce(topic, static_cast<int32_t>(p), RD_KAFKA_MSG_F_COPY,
                         value.data(), value.size(),
                         key.empty() ? nullptr : key.data(), key.size(),
                         nullptr) != 0) {
      Die(rd_kafka_err2str(rd_kafka_last_error()));
    }
    rd_kafka_poll(client, 0);
  }
  if (rd_kafka_flush(client, 60000) != 0) Die("the warm-up did not end");
  if (outcome.failed > 0) Die("records of the warm-up failed");
  outcome = Outcome();
}

std::string RandomValue(int64_t size) {
  // What does not compress, the same in every run.
  std::string value(static_cast<size_t>(size), '\0');
  uint32_t state = 12345;
  for (char& c : value) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return value;
}

// The same in every run; empty where there are none.
class Keys {
 public:
  explicit Keys(int64_t of) : of_(static_cast<uint64_t>(of)) {}
  std::string Next() {
    if (of_ == 0) return "";
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    char text[32];
    std::snprintf(text, sizeof text, "key-%012llu",
                  static_cast<unsigned long long>((state_ >> 20) % of_));
    return text;
  }

 private:
  const uint64_t of_;
  uint64_t state_ = 1;
};

int Produce(const Options& options) {
  Outcome outcome;
  const std::string acks = Get(options, "acks", "all");
  rd_kafka_t* client =
      NewClient(RD_KAFKA_PRODUCER, options,
                {{"enable.idempotence", acks == "all" ? "true" : "false"},
                 {"acks", acks},
                 {"linger.ms", Get(options, "linger", "5")},
                 {"batch.size", Get(options, "batch", "131072")},
                 {"queue.buffering.max.messages", "200000"}},
                &outcome);
  const std::string name = Get(options, "topic");
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, name.c_str(), nullptr);
  const int64_t partitions = Number(options, "partitions");
  const int64_t records = Number(options, "records");
  const int64_t rate = Number(options, "rate", "0");
  Keys keys(Number(options, "keys", "0"));
  std::string value = RandomValue(Number(options, "size", "1024"));
  outcome.latencies_us.reserve(static_cast<size_t>(records));
  WarmUp(client, topic, partitions, value, keys.Next(), outcome);
  outcome.latencies_us.reserve(static_cast<size_t>(records));
  const double cpu = CpuSeconds();
  const int64_t began = NowUs();
  for (int64_t sent = 0; sent < records;) {
    const int64_t now = NowUs();
    if (rate > 0 && (now - began) * rate / 1000000 <= sent) {
      rd_kafka_poll(client, 1);
      continue;
    }
    const std::string key = keys.Next();
    const int failed = rd_kafka_produce(
        topic, static_cast<int32_t>(sent % partitions), RD_KAFKA_MSG_F_COPY,
        value.data(), value.size(), key.empty() ? nullptr : key.data(),
        key.size(), reinterpret_cast<void*>(static_cast<intptr_t>(now)));
    if (failed == 0) {
      ++sent;
      if (sent % 64 == 0) rd_kafka_poll(client, 0);
    } else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(client, 1);
    } else {
      Die(rd_kafka_err2str(rd_kafka_last_error()));
    }
  }
  if (rd_kafka_flush(client, 300000) != 0) Die("records were never answered");
  Print(records, static_cast<double>(outcome.last_us - began) / 1e6,
        CpuSeconds() - cpu, outcome);
  return outcome.failed == 0 ? 0 : 1;
}

int Latency(const Options& options) {
  Outcome outcome;
  rd_kafka_t* client = NewClient(RD_KAFKA_PRODUCER, options,
                                 {{"acks", Get(options, "acks", "all")},
                                  {"linger.ms", "0"},
                                  {"socket.nagle.disable", "true"}},
                                 &outcome);
  const std::string name = Get(options, "topic");
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, name.c_str(), nullptr);
  const int64_t partitions = Number(options, "partitions", "1");
  const int64_t records = Number(options, "records");
  std::string value = RandomValue(Number(options, "size", "1024"));
  for (int i = 0; i < 100; ++i) {
    WarmUp(client, topic, std::min<int64_t>(partitions, 10), value, "",
           outcome);
  }
  const double cpu = CpuSeconds();
  const int64_t began = NowUs();
  for (int64_t i = 0; i < records; ++i) {
    if (rd_kafka_produce(
            topic, static_cast<int32_t>(i % partitions), RD_KAFKA_MSG_F_COPY,
            value.data(), value.size(), nullptr, 0,
            reinterpret_cast<void*>(static_cast<intptr_t>(NowUs()))) != 0) {
      Die(rd_kafka_err2str(rd_kafka_last_error()));
    }
    const auto answered = [&] {
      return static_cast<int64_t>(outcome.latencies_us.size()) + outcome.failed;
    };
    while (answered() <= i) rd_kafka_poll(client, 1000);
  }
  Print(records, static_cast<double>(outcome.last_us - began) / 1e6,
        CpuSeconds() - cpu, outcome);
  return outcome.failed == 0 ? 0 : 1;
}

int Consume(const Options& options) {
  rd_kafka_t* client = NewClient(
      RD_KAFKA_CONSUMER, options,
      {{"group.id", "tidemark-load"},
       {"enable.auto.commit", "false"},
       {"check.crcs", "false"},
       {"enable.partition.eof", "true"},
       {"isolation.level", Get(options, "isolation", "read_uncommitted")},
       {"auto.offset.reset", "earliest"}},
      nullptr);
  rd_kafka_poll_set_consumer(client);
  const std::string name = Get(options, "topic");
  const auto partitions = static_cast<int32_t>(Number(options, "partitions"));
  const int64_t end_us = NowUs() + Number(options, "seconds", "300") * 1000000;
  rd_kafka_topic_partition_list_t* assigned =
      rd_kafka_topic_partition_list_new(partitions);
  std::map<int32_t, int64_t> left;
  for (int32_t p = 0; p < partitions; ++p) {
    int64_t low = 0, high = 0;
    if (rd_kafka_query_watermark_offsets(client, name.c_str(), p, &low, &high,
                                         30000) != 0) {
      Die("cannot list the offsets of " + name);
    }
    rd_kafka_topic_partition_list_add(assigned, name.c_str(), p)->offset = low;
    if (low < high) left[p] = high;
  }
  const double cpu = CpuSeconds();
  const int64_t began = NowUs();
  rd_kafka_assign(client, assigned);
  Outcome outcome;
  int64_t records = 0;
  while (!left.empty()) {
    if (NowUs() > end_us) Die("could not read to the end in time");
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 100);
    if (message == nullptr) continue;
    const bool at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || at_end) {
      if (!at_end) ++records;
      const auto at = left.find(message->partition);
      // The last offsets may be those of markers, which nobody is given.
      const int64_t next = message->offset + (at_end ? 0 : 1);
      if (at != left.end() && next >= at->second) left.erase(at);
    }
    rd_kafka_message_destroy(message);
  }
  Print(records, static_cast<double>(NowUs() - began) / 1e6, CpuSeconds() - cpu,
        outcome);
  return 0;
}

void Must(rd_kafka_error_t* error, const char* what) {
  if (error != nullptr) {
    Die(std::string(what) + ": " + rd_kafka_error_string(error));
  }
}

// One producer that commits transactions until `end_us`.
void CommitUntil(const Options& options, int64_t number, int64_t end_us,
                 Outcome* outcome) {
  Outcome deliveries;
  const std::string name = Get(options, "topic");
  rd_kafka_t* client =
      NewClient(RD_KAFKA_PRODUCER, options,
                {{"transactional.id", name + "-" + std::to_string(number)},
                 {"linger.ms", "0"},
                 {"socket.nagle.disable", "true"}},
                &deliveries);
  Must(rd_kafka_init_transactions(client, 60000), "init");
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, name.c_str(), nullptr);
  const int64_t partitions = Number(options, "partitions", "3");
  const int64_t records = Number(options, "records", "10");
  std::string value = RandomValue(Number(options, "size", "1024"));
  bool warm = false;
  while (NowUs() < end_us) {
    Must(rd_kafka_begin_transaction(client), "begin");
    for (int64_t i = 0; i < records; ++i) {
      if (rd_kafka_produce(topic, static_cast<int32_t>(i % partitions),
                           RD_KAFKA_MSG_F_COPY, value.data(), value.size(),
                           nullptr, 0, nullptr) != 0) {
        Die(rd_kafka_err2str(rd_kafka_last_error()));
      }
    }
    // What is measured is the commit, not the records before it.
    while (rd_kafka_outq_len(client) > 0) rd_kafka_poll(client, 1);
    const int64_t before = NowUs();
    Must(rd_kafka_commit_transaction(client, 60000), "commit");
    // The first makes connections and finds the coordinator.
    if (warm) outcome->latencies_us.push_back(NowUs() - before);
    warm = true;
  }
  outcome->failed = deliveries.failed;
}

int Transact(const Options& options) {
  const auto producers = static_cast<size_t>(Number(options, "producers", "1"));
  const int64_t seconds = Number(options, "seconds", "10");
  std::vector<Outcome> outcomes(producers);
  std::vector<std::thread> threads;
  const double cpu = CpuSeconds();
  const int64_t began = NowUs();
  for (size_t i = 0; i < producers; ++i) {
    threads.emplace_back([&, i] {
      CommitUntil(options, static_cast<int64_t>(i), began + seconds * 1000000,
                  &outcomes[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double took = static_cast<double>(NowUs() - began) / 1e6;
  Outcome all;
  for (Outcome& one : outcomes) {
    all.failed += one.failed;
    all.latencies_us.insert(all.latencies_us.end(), one.latencies_us.begin(),
                            one.latencies_us.end());
  }
  Print(static_cast<int64_t>(all.latencies_us.size()), took, CpuSeconds() - cpu,
        all);
  return all.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "--help";
  Options options;
  for (int i = 2; i + 1 < argc; i += 2) {
    if (std::strncmp(argv[i], "--", 2) != 0) Die("not an option: " + verb);
    options[argv[i] + 2] = argv[i + 1];
  }
  int result = 2;
  if (verb == "produce") {
    result = Produce(options);
  } else if (verb == "latency") {
    result = Latency(options);
  } else if (verb == "consume") {
    result = Consume(options);
  } else if (verb == "transact") {
    result = Transact(options);
  } else {
    std::puts(
        "usage: tidemark-load produce|latency|consume|transact --bootstrap "
        "HOST:PORT --topic NAME [option value]...");
    result = verb == "--help" ? 0 : 2;
  }
  std::fflush(stdout);
  std::_Exit(result);
}
