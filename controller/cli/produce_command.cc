#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "controller/cli/command.h"
#include "controller/cli/kafka_client.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct ProduceOptions {
  std::string topic;
  std::string key_separator;
  std::string acks = "all";
  std::string compression = "none";
  int32_t partition = RD_KAFKA_PARTITION_UA;
  int64_t rate = 0;  // records a second; 0: as fast as it goes
  std::vector<std::string> settings;
};

struct Outcome {
  int64_t acknowledged = 0, failed = 0;
  rd_kafka_resp_err_t first_error = RD_KAFKA_RESP_ERR_NO_ERROR;
};

void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* outcome = static_cast<Outcome*>(opaque);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    ++outcome->acknowledged;
  } else if (outcome->failed++ == 0) {
    outcome->first_error = message->err;
  }
}

// A line is the value, or key, separator and value.
Status Send(rd_kafka_t* client, const ProduceOptions& options,
            const std::string& line) {
  std::optional<std::string> key;
  std::string value = line;
  if (!options.key_separator.empty()) {
    size_t split = line.find(options.key_separator);
    if (split == std::string::npos) {
      return Fail(ErrorCode::kInvalidRecord,
                  "no separator '" + options.key_separator + "' in the line '" +
                      line + "'");
    }
    key = line.substr(0, split);
    value = line.substr(split + options.key_separator.size());
  }
  const char* key_data = key ? key->data() : nullptr;
  const size_t key_size = key ? key->size() : 0;
  for (;;) {
    rd_kafka_resp_err_t error = rd_kafka_producev(
        client, RD_KAFKA_V_TOPIC(options.topic.c_str()),
        RD_KAFKA_V_PARTITION(options.partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key_data, key_size),
        RD_KAFKA_V_VALUE(value.data(), value.size()), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL || StopRequested()) {
      return KafkaStatus(error, options.topic);
    }
    rd_kafka_poll(client, 10);
  }
}

Status SendAll(rd_kafka_t* client, const ProduceOptions& options) {
  const auto began = Clock::now();
  int64_t sent = 0;
  std::string line;
  while (!StopRequested() && std::getline(std::cin, line)) {
    if (options.rate > 0) {
      std::this_thread::sleep_until(
          began + std::chrono::microseconds(sent * 1000000 / options.rate));
    }
    TM_RETURN_IF_ERROR(Send(client, options, line));
    ++sent;
    rd_kafka_poll(client, 0);
  }
  return {};
}

Status Produce(const Context& context, const ProduceOptions& options) {
  KafkaSettings settings = {
      {"acks", options.acks},
      {"enable.idempotence", options.acks == "all" ? "true" : "false"},
      {"compression.codec", options.compression},
      {"linger.ms", "5"}};
  for (const std::string& entry : options.settings) {
    TM_ASSIGN_OR_RETURN(auto pair, SplitPair(entry));
    settings.push_back(pair);
  }
  Outcome outcome;
  TM_ASSIGN_OR_RETURN(auto client,
                      NewKafkaClient(RD_KAFKA_PRODUCER, context, settings,
                                     OnDelivery, &outcome));
  TM_ASSIGN_OR_RETURN(
      int partitions,
      CountPartitions(client.get(), options.topic, context.timeout_ms));
  if (options.partition >= partitions) {
    return Fail(ErrorCode::kUnknownTopicOrPartition,
                options.topic + " has partitions 0 to " +
                    std::to_string(partitions - 1));
  }
  StopOnSignals();
  Status sent = SendAll(client.get(), options);
  rd_kafka_flush(client.get(), 60000);
  int left = rd_kafka_outq_len(client.get());
  if (context.format == Format::kJson) {
    PrintJson({{"acknowledged", outcome.acknowledged},
               {"failed", outcome.failed + left}});
  } else {
    std::fprintf(stderr, "%lld records acknowledged\n",
                 static_cast<long long>(outcome.acknowledged));
  }
  TM_RETURN_IF_ERROR(sent);
  if (outcome.failed > 0) {
    return KafkaStatus(
        outcome.first_error,
        std::to_string(outcome.failed) + " records were not acknowledged");
  }
  if (left > 0) {
    return Fail(ErrorCode::kRequestTimedOut,
                std::to_string(left) + " records got no answer within 60 s");
  }
  return {};
}

}  // namespace

void AddProduceCommand(CLI::App& app, Context& context) {
  auto options = std::make_shared<ProduceOptions>();
  auto* command = AddCommand(
      app, context, "produce", "Send each line of the input as a record",
      [&context, options] { return Produce(context, *options); });
  command->add_option("topic", options->topic, "The topic")->required();
  command->add_option("--key-separator", options->key_separator,
                      "Lines are key, this and value (default: value only)");
  command->add_option("--acks", options->acks, "Who must have it: 0, 1 or all")
      ->check(CLI::IsMember({"0", "1", "all"}))
      ->capture_default_str();
  command->add_option("--compression", options->compression, "Codec")
      ->check(CLI::IsMember({"none", "gzip", "snappy", "lz4", "zstd"}))
      ->capture_default_str();
  command
      ->add_option("--partition", options->partition,
                   "Always this one (default: by key)")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--rate", options->rate,
                   "Records a second (default: no limit)")
      ->check(CLI::NonNegativeNumber);
  command->add_option("-X", options->settings,
                      "A setting of librdkafka: key=value");
}

}  // namespace tidemark::cli
