// tidemark-transactions: transactions of a plain Kafka client (librdkafka), and
// what became of them.
//
//   tidemark-transactions run   --bootstrap B --topic T --id ID --log FILE
//                               [--partitions N] [--count C] [--seed S]
//   tidemark-transactions check --bootstrap B --topic T [--partitions N]
//                               [--groups ID,ID...] [--seconds S]
//
// run, until it has made C or gets SIGTERM: each transaction sends "ID
// SEQUENCE" to some partitions and commits SEQUENCE + 1 as the offset that the
// group ID has in partition 0 of the topic; one in five is aborted. A producer
// that can go on no more is thrown away, and another one takes the same
// transactional id. The log has a line per transaction:
//   "T SEQUENCE C|A|U PARTITION,... MS" committed, aborted, or unknown
//
// check waits until no partition holds an open transaction (its last stable
// offset is its end) and prints "G ID OFFSET", what each group has committed.
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "tests/chaos/client.h"

namespace {

using namespace tidemark::chaos;  // NOLINT

constexpr int kTimeoutMs = 10'000;

std::atomic<bool> stop{false};

struct Freed {
  void operator()(rd_kafka_error_t* error) const {
    rd_kafka_error_destroy(error);
  }
};
using Error = std::unique_ptr<rd_kafka_error_t, Freed>;

// Again while the client says that it may help.
template <class Call>
Error Insist(Call call) {
  while (true) {
    Error error(call());
    if (error == nullptr || stop ||
        rd_kafka_error_is_retriable(error.get()) == 0) {
      return error;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

class Producer {
 public:
  Producer(const Options& options, FILE* log)
      : options_(options),
        log_(log),
        id_(Get(options, "id")),
        partitions_(Number(options, "partitions", "6")),
        random_(static_cast<uint64_t>(Number(options, "seed", "1"))) {}

  void Run() {
    const int64_t count = Number(options_, "count", "0");
    while (!stop && (count == 0 || sequence_ < count)) {
      if (client_ == nullptr && !Begin()) continue;
      Transact();
    }
    Abandon();
  }

  int64_t committed() const { return committed_; }
  int64_t aborted() const { return aborted_; }
  int64_t unknown() const { return unknown_; }

 private:
  bool Begin() {
    client_ = NewClient(RD_KAFKA_PRODUCER, options_,
                        {{"transactional.id", id_},
                         {"transaction.timeout.ms", "10000"},
                         {"linger.ms", "1"},
                         {"retry.backoff.ms", "20"},
                         {"request.timeout.ms", "2000"},
                         {"message.timeout.ms", "9000"}});
    topic_ =
        rd_kafka_topic_new(client_, Get(options_, "topic").c_str(), nullptr);
    const Error error =
        Insist([&] { return rd_kafka_init_transactions(client_, kTimeoutMs); });
    if (error == nullptr) return true;
    Say("init", error);
    Abandon();
    return false;
  }

  // Never destroyed: that may wait for brokers that are gone.
  void Abandon() { client_ = nullptr; }

  void Say(const char* what, const Error& error) {
    std::fprintf(stderr, "%s %lld %s: %s\n", id_.c_str(),
                 static_cast<long long>(sequence_), what,
                 rd_kafka_error_string(error.get()));
  }

  void Transact() {
    const bool abort = sequence_ % 5 == 4;
    std::string places;
    Error error(rd_kafka_begin_transaction(client_));
    if (error == nullptr) error = Send(&places);
    if (error == nullptr && !abort) {
      error = Insist(
          [&] { return rd_kafka_commit_transaction(client_, kTimeoutMs); });
      if (error == nullptr) return Log('C', places);
      Say("commit", error);
    }
    if (error == nullptr ||
        rd_kafka_error_txn_requires_abort(error.get()) != 0) {
      const Error failed = Insist(
          [&] { return rd_kafka_abort_transaction(client_, kTimeoutMs); });
      if (failed == nullptr) return Log('A', places);
      Say("abort", failed);
    }
    Log('U', places);
    Abandon();
  }

  Error Send(std::string* places) {
    const std::string value = id_ + " " + std::to_string(sequence_);
    for (int64_t p = 0; p < partitions_; ++p) {
      if (random_() % 3 == 0) continue;
      *places += (places->empty() ? "" : ",") + std::to_string(p);
      std::string bytes = value;
      while (rd_kafka_produce(topic_, static_cast<int32_t>(p),
                              RD_KAFKA_MSG_F_COPY, bytes.data(), bytes.size(),
                              nullptr, 0, nullptr) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
          return Error(rd_kafka_error_new(rd_kafka_last_error(), "produce"));
        }
        rd_kafka_poll(client_, 10);
      }
    }
    // So that some of an aborted one is in the log.
    if (sequence_ % 2 == 0) rd_kafka_flush(client_, kTimeoutMs);
    rd_kafka_topic_partition_list_t* offsets =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(offsets, Get(options_, "topic").c_str(),
                                      0)
        ->offset = sequence_ + 1;
    rd_kafka_consumer_group_metadata_t* group =
        rd_kafka_consumer_group_metadata_new(id_.c_str());
    Error error = Insist([&] {
      return rd_kafka_send_offsets_to_transaction(client_, offsets, group,
                                                  kTimeoutMs);
    });
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(offsets);
    if (error != nullptr) Say("offsets", error);
    return error;
  }

  void Log(char outcome, const std::string& places) {
    ++(outcome == 'C' ? committed_ : outcome == 'A' ? aborted_ : unknown_);
    std::fprintf(log_, "T %lld %c %s %lld\n", static_cast<long long>(sequence_),
                 outcome, places.empty() ? "-" : places.c_str(),
                 static_cast<long long>(NowMs()));
    ++sequence_;
  }

  const Options& options_;
  FILE* const log_;
  const std::string id_;
  const int64_t partitions_;
  std::mt19937_64 random_;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
  int64_t sequence_ = 0;
  int64_t committed_ = 0, aborted_ = 0, unknown_ = 0;
};

int Run(const Options& options) {
  FILE* log = std::fopen(Get(options, "log").c_str(), "w");
  if (log == nullptr) Die("cannot write the log");
  std::setvbuf(log, nullptr, _IOLBF, 1 << 16);
  Producer producer(options, log);
  producer.Run();
  if (std::fclose(log) != 0) Die("cannot write the log");
  std::printf("committed=%lld aborted=%lld unknown=%lld\n",
              static_cast<long long>(producer.committed()),
              static_cast<long long>(producer.aborted()),
              static_cast<long long>(producer.unknown()));
  return 0;
}

int64_t EndOf(rd_kafka_t* client, const Options& options, int32_t partition) {
  int64_t low = 0, high = -1;
  rd_kafka_query_watermark_offsets(client, Get(options, "topic").c_str(),
                                   partition, &low, &high, 5'000);
  return high;
}

int Check(const Options& options) {
  const auto client = [&](const char* isolation) {
    return NewClient(RD_KAFKA_CONSUMER, options,
                     {{"group.id", "check"}, {"isolation.level", isolation}});
  };
  rd_kafka_t* all = client("read_uncommitted");
  rd_kafka_t* stable = client("read_committed");
  const auto partitions =
      static_cast<int32_t>(Number(options, "partitions", "6"));
  const int64_t end = NowMs() + Number(options, "seconds", "60") * 1000;
  for (int32_t p = 0; p < partitions; ++p) {
    while (true) {
      const int64_t last = EndOf(all, options, p);
      const int64_t to = EndOf(stable, options, p);
      if (last >= 0 && last == to) break;
      if (NowMs() > end) {
        Die("partition " + std::to_string(p) + " ends at " +
            std::to_string(last) + " and is stable to " + std::to_string(to));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
  std::istringstream ids(Get(options, "groups", ""));
  for (std::string id; std::getline(ids, id, ',');) {
    rd_kafka_t* group =
        NewClient(RD_KAFKA_CONSUMER, options,
                  {{"group.id", id}, {"isolation.level", "read_committed"}});
    rd_kafka_topic_partition_list_t* offsets =
        rd_kafka_topic_partition_list_new(1);
    auto* place = rd_kafka_topic_partition_list_add(
        offsets, Get(options, "topic").c_str(), 0);
    while (rd_kafka_committed(group, offsets, 5'000) != 0) {
      if (NowMs() > end) Die("the offset of group " + id + " is not known");
    }
    std::printf("G %s %lld\n", id.c_str(),
                static_cast<long long>(place->offset < 0 ? 0 : place->offset));
    rd_kafka_topic_partition_list_destroy(offsets);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "--help";
  const Options options = ParseOptions(argc, argv);
  std::signal(SIGTERM, [](int) { stop = true; });
  std::signal(SIGINT, [](int) { stop = true; });
  int result = 2;
  if (verb == "run") {
    result = Run(options);
  } else if (verb == "check") {
    result = Check(options);
  } else {
    std::puts(
        "usage: tidemark-transactions run|check --bootstrap HOST:PORT --topic "
        "NAME [option value]...");
    if (verb == "--help") result = 0;
  }
  std::fflush(stdout);
  std::_Exit(result);  // clients that cannot reach their brokers do not end
}
