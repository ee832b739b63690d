#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "controller/cli/command.h"
#include "controller/cli/group_offsets.h"
#include "controller/cli/offset_plan.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

struct TrimOptions {
  std::string topic;  // "orders:0,2"
  int64_t before = -1;
  bool all = false;
};

Result<KafkaPtr<rd_kafka_topic_partition_list_t>> Wanted(
    const Context& context, const TrimOptions& options) {
  TM_ASSIGN_OR_RETURN(TopicScope scope, ParseScope(options.topic));
  if (scope.partitions.empty()) {
    TM_ASSIGN_OR_RETURN(auto client,
                        NewKafkaClient(RD_KAFKA_PRODUCER, context, {}));
    TM_ASSIGN_OR_RETURN(
        const int count,
        CountPartitions(client.get(), scope.topic, context.timeout_ms));
    for (int i = 0; i < count; ++i) scope.partitions.push_back(i);
  }
  KafkaPtr<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(
          static_cast<int>(scope.partitions.size())));
  for (const int32_t partition : scope.partitions) {
    rd_kafka_topic_partition_list_add(list.get(), scope.topic.c_str(),
                                      partition)
        ->offset = options.all ? RD_KAFKA_OFFSET_END : options.before;
  }
  return list;
}

Status Trim(const Context& context, const TrimOptions& options) {
  if (options.all == (options.before >= 0)) {
    return Fail(ErrorCode::kInvalidRequest,
                "say up to where: --before OFFSET, or --all for everything");
  }
  TM_ASSIGN_OR_RETURN(const auto list, Wanted(context, options));
  TM_ASSIGN_OR_RETURN(Question question,
                      Question::New(context, RD_KAFKA_ADMIN_OP_DELETERECORDS));
  auto* wanted = rd_kafka_DeleteRecords_new(list.get());
  auto answer = question.Send([&](auto* client, auto* admin, auto* queue) {
    rd_kafka_DeleteRecords(client, &wanted, 1, admin, queue);
  });
  rd_kafka_DeleteRecords_destroy(wanted);
  TM_ASSIGN_OR_RETURN(auto event, std::move(answer));
  const auto* starts = rd_kafka_DeleteRecords_result_offsets(
      rd_kafka_event_DeleteRecords_result(event.get()));
  Json json = Json::array();
  Table table({"TOPIC", "PARTITION", "STARTS AT"});
  for (int i = 0; i < starts->cnt; ++i) {
    const auto& one = starts->elems[i];
    const std::string at =
        one.err == 0 ? std::to_string(one.offset) : rd_kafka_err2name(one.err);
    table.Add({one.topic, std::to_string(one.partition), at});
    if (one.err == 0) {
      json.push_back({{"topic", one.topic},
                      {"partition", one.partition},
                      {"start", one.offset}});
    }
  }
  context.format == Format::kJson ? PrintJson(json) : Print(table);
  return FirstError(starts);
}

}  // namespace

void AddTrimCommand(CLI::App& topic, Context& context) {
  auto options = std::make_shared<TrimOptions>();
  CLI::App* command = AddCommand(
      topic, context, "trim", "Delete the oldest records of partitions",
      [&context, options] { return Trim(context, *options); });
  command
      ->add_option("topic", options->topic,
                   "TOPIC, or TOPIC:0,2 for some of its partitions")
      ->required();
  command->add_option("--before", options->before,
                      "Those in front of this offset");
  command->add_flag("--all", options->all, "All that are there");
}

}  // namespace tidemark::cli
