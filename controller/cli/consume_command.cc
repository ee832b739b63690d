#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "controller/cli/command.h"
#include "controller/cli/kafka_client.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ConsumeOptions {
  std::string topic;
  std::string group;
  bool from_beginning = false;
  bool exit_at_end = false;
  int64_t offset = RD_KAFKA_OFFSET_INVALID;
  int32_t partition = RD_KAFKA_PARTITION_UA;
  int64_t count = 0;  // 0: no limit
  std::string key_separator;
  std::vector<std::string> settings;
};

// Text of a key or value; null stays null.
Json TextOf(const void* data, size_t size) {
  if (data == nullptr) return nullptr;
  return std::string(static_cast<const char*>(data), size);
}

Json HeadersOf(const rd_kafka_message_t* message) {
  Json out = Json::array();
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != 0) return out;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0;
       rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; ++i) {
    out.push_back({{"name", name}, {"value", TextOf(value, size)}});
  }
  return out;
}

// One line a record, so that the output can be piped on. Fails when the record
// is not written.
Status PrintRecord(const Context& context, const ConsumeOptions& options,
                   const rd_kafka_message_t* message) {
  if (context.format == Format::kTable) {
    if (!options.key_separator.empty()) {
      std::fwrite(message->key, 1, message->key_len, stdout);
      std::fputs(options.key_separator.c_str(), stdout);
    }
    std::fwrite(message->payload, 1, message->len, stdout);
    std::fputc('\n', stdout);
  } else {
    rd_kafka_timestamp_type_t type;
    Json json = {{"partition", message->partition},
                 {"offset", message->offset},
                 {"timestamp", rd_kafka_message_timestamp(message, &type)},
                 {"key", TextOf(message->key, message->key_len)},
                 {"value", TextOf(message->payload, message->len)},
                 {"headers", HeadersOf(message)}};
    std::puts(
        json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  }
  return FlushOutput();
}

Status Begin(rd_kafka_t* client, const ConsumeOptions& options,
             int partitions) {
  KafkaPtr<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(partitions));
  if (!options.group.empty()) {
    rd_kafka_topic_partition_list_add(list.get(), options.topic.c_str(),
                                      RD_KAFKA_PARTITION_UA);
    return KafkaStatus(rd_kafka_subscribe(client, list.get()), options.topic);
  }
  int64_t offset = options.offset;
  if (offset == RD_KAFKA_OFFSET_INVALID) {
    offset = options.from_beginning ? RD_KAFKA_OFFSET_BEGINNING
                                    : RD_KAFKA_OFFSET_END;
  }
  for (int p = 0; p < partitions; ++p) {
    if (options.partition >= 0 && options.partition != p) continue;
    rd_kafka_topic_partition_list_add(list.get(), options.topic.c_str(), p)
        ->offset = offset;
  }
  return KafkaStatus(rd_kafka_assign(client, list.get()), options.topic);
}

// True when every partition this member has is read to its end.
bool AllAtEnd(rd_kafka_t* client, const std::set<int32_t>& ended) {
  rd_kafka_topic_partition_list_t* raw = nullptr;
  if (rd_kafka_assignment(client, &raw) != 0) return false;
  KafkaPtr<rd_kafka_topic_partition_list_t> list(raw);
  for (int i = 0; i < list->cnt; ++i) {
    if (!ended.contains(list->elems[i].partition)) return false;
  }
  return list->cnt > 0;
}

Status ReadRecords(rd_kafka_t* client, const Context& context,
                   const ConsumeOptions& options) {
  int64_t read = 0;
  std::set<int32_t> ended;
  while (!StopRequested() && (options.count == 0 || read < options.count)) {
    KafkaPtr<rd_kafka_message_t> message(rd_kafka_consumer_poll(client, 100));
    if (message == nullptr) continue;
    switch (message->err) {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        ended.erase(message->partition);
        // Its offset is not stored then, and so never committed.
        TM_RETURN_IF_ERROR(PrintRecord(context, options, message.get()));
        if (!options.group.empty()) {
          rd_kafka_offset_store(message->rkt, message->partition,
                                message->offset);
        }
        ++read;
        break;
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        ended.insert(message->partition);
        if (options.exit_at_end && AllAtEnd(client, ended)) return {};
        break;
      case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      case RD_KAFKA_RESP_ERR__TRANSPORT:
        break;  // librdkafka reconnects by itself
      default:
        return KafkaStatus(message->err,
                           rd_kafka_message_errstr(message.get()));
    }
  }
  return {};
}

Status Consume(const Context& context, const ConsumeOptions& options) {
  if (!options.group.empty() &&
      (options.partition >= 0 || options.offset != RD_KAFKA_OFFSET_INVALID)) {
    return Fail(ErrorCode::kInvalidRequest,
                "--group shares the partitions itself: leave --partition and "
                "--offset away");
  }
  KafkaSettings settings = {
      {"group.id", options.group.empty() ? "tidemark-cli" : options.group},
      {"enable.auto.commit", options.group.empty() ? "false" : "true"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", options.from_beginning ? "earliest" : "latest"},
      {"enable.partition.eof", "true"}};
  for (const std::string& entry : options.settings) {
    TM_ASSIGN_OR_RETURN(auto pair, SplitPair(entry));
    settings.push_back(pair);
  }
  TM_ASSIGN_OR_RETURN(auto client,
                      NewKafkaClient(RD_KAFKA_CONSUMER, context, settings));
  TM_ASSIGN_OR_RETURN(
      int partitions,
      CountPartitions(client.get(), options.topic, context.timeout_ms));
  if (options.partition >= partitions) {
    return Fail(ErrorCode::kUnknownTopicOrPartition,
                options.topic + " has partitions 0 to " +
                    std::to_string(partitions - 1));
  }
  rd_kafka_poll_set_consumer(client.get());
  StopOnSignals();
  TM_RETURN_IF_ERROR(Begin(client.get(), options, partitions));
  Status result = ReadRecords(client.get(), context, options);
  rd_kafka_consumer_close(client.get());
  // Not destroyed: after brokers have gone away, rd_kafka_destroy of
  // librdkafka 2.0 may wait for ever, and the process ends now anyway.
  static_cast<void>(client.release());
  return result;
}

}  // namespace

void AddConsumeCommand(CLI::App& app, Context& context) {
  auto options = std::make_shared<ConsumeOptions>();
  auto* command = AddCommand(
      app, context, "consume", "Print each record of a topic as a line",
      [&context, options] { return Consume(context, *options); });
  command->add_option("topic", options->topic, "The topic")->required();
  command->add_option("--group", options->group,
                      "Share the partitions with this group and commit");
  command->add_flag("--from-beginning", options->from_beginning,
                    "Old records too (in a group: when nothing is committed)");
  command->add_option("--partition", options->partition, "Only this one")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--offset", options->offset, "Begin at this offset")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--count", options->count, "End after so many records")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--exit-at-end", options->exit_at_end,
                    "End when everything there is has been read");
  command->add_option("--key-separator", options->key_separator,
                      "Print the key and this before the value");
  command->add_option("-X", options->settings,
                      "A setting of librdkafka: key=value");
}

}  // namespace tidemark::cli
