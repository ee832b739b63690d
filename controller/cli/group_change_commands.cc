#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "controller/cli/command.h"
#include "controller/cli/group_offsets.h"
#include "controller/cli/kafka_question.h"
#include "controller/cli/offset_plan.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;
using Offsets = GroupOffsets;
using PartitionList = KafkaPtr<rd_kafka_topic_partition_list_t>;

Status Delete(const Context& context, const std::string& name) {
  TM_ASSIGN_OR_RETURN(Question question,
                      Question::New(context, RD_KAFKA_ADMIN_OP_DELETEGROUPS));
  auto* group = rd_kafka_DeleteGroup_new(name.c_str());
  auto answer = question.Send([&](auto* client, auto* options, auto* queue) {
    rd_kafka_DeleteGroups(client, &group, 1, options, queue);
  });
  rd_kafka_DeleteGroup_destroy(group);
  TM_ASSIGN_OR_RETURN(auto event, std::move(answer));
  size_t count = 0;
  const auto** results = rd_kafka_DeleteGroups_result_groups(
      rd_kafka_event_DeleteGroups_result(event.get()), &count);
  for (size_t i = 0; i < count; ++i) {
    if (const auto* error = rd_kafka_group_result_error(results[i])) {
      return KafkaStatus(rd_kafka_error_code(error),
                         name + ": " + rd_kafka_error_string(error));
    }
  }
  if (context.format == Format::kTable) Print("deleted group " + name);
  if (context.format == Format::kJson) PrintJson({{"deleted", name}});
  return {};
}

// What the command line says is meant; nothing: all that the group has.
struct Scope {
  std::vector<std::string> topics;  // "orders", "orders:0,2"
  bool all_topics = false;
};

Result<std::vector<TopicPartition>> PartitionsIn(const Context& context,
                                                 const Scope& scope,
                                                 const Offsets& committed) {
  std::set<TopicPartition> out;
  if (scope.all_topics) {
    for (const auto& [partition, offset] : committed) out.insert(partition);
  }
  TM_ASSIGN_OR_RETURN(auto client,
                      NewKafkaClient(RD_KAFKA_PRODUCER, context, {}));
  for (const std::string& text : scope.topics) {
    TM_ASSIGN_OR_RETURN(TopicScope topic, ParseScope(text));
    TM_ASSIGN_OR_RETURN(
        const int count,
        CountPartitions(client.get(), topic.topic, context.timeout_ms));
    if (topic.partitions.empty()) {
      for (int i = 0; i < count; ++i) topic.partitions.push_back(i);
    }
    for (const int32_t partition : topic.partitions) {
      if (partition >= count) {
        return Fail(ErrorCode::kUnknownTopicOrPartition,
                    topic.topic + " has no partition " +
                        std::to_string(partition) + ", only " +
                        std::to_string(count) + " of them");
      }
      out.insert({topic.topic, partition});
    }
  }
  return std::vector<TopicPartition>(out.begin(), out.end());
}

PartitionList NewList(const std::vector<TopicPartition>& partitions) {
  PartitionList list(
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& one : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), one.topic.c_str(),
                                      one.partition);
  }
  return list;
}

Status DeleteOffsets(const Context& context, const std::string& group,
                     const Scope& scope) {
  TM_ASSIGN_OR_RETURN(const Offsets committed,
                      CommittedOffsets(context, group));
  TM_ASSIGN_OR_RETURN(const auto partitions,
                      PartitionsIn(context, scope, committed));
  TM_ASSIGN_OR_RETURN(
      Question question,
      Question::New(context, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS));
  const PartitionList list = NewList(partitions);
  auto* wanted =
      rd_kafka_DeleteConsumerGroupOffsets_new(group.c_str(), list.get());
  auto answer = question.Send([&](auto* client, auto* options, auto* queue) {
    rd_kafka_DeleteConsumerGroupOffsets(client, &wanted, 1, options, queue);
  });
  rd_kafka_DeleteConsumerGroupOffsets_destroy(wanted);
  TM_ASSIGN_OR_RETURN(auto event, std::move(answer));
  size_t count = 0;
  const auto** groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
      rd_kafka_event_DeleteConsumerGroupOffsets_result(event.get()), &count);
  TM_RETURN_IF_ERROR(FirstError(groups, count));
  Json json = Json::array();
  Table table({"TOPIC", "PARTITION", "DELETED"});
  for (const TopicPartition& one : partitions) {
    const auto had = committed.find(one);
    const std::string gone =
        had == committed.end() ? "-" : std::to_string(had->second);
    table.Add({one.topic, std::to_string(one.partition), gone});
    json.push_back({{"topic", one.topic}, {"partition", one.partition}});
  }
  context.format == Format::kJson ? PrintJson(json) : Print(table);
  return {};
}

// --- reset ---

struct Move {
  TopicPartition partition;
  int64_t before = -1;
  int64_t after = -1;
};

Result<std::map<TopicPartition, int64_t>> AtTime(
    const Context& context, rd_kafka_t* client,
    const std::vector<TopicPartition>& partitions, int64_t timestamp_ms) {
  const PartitionList list = NewList(partitions);
  for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = timestamp_ms;
  const auto error = rd_kafka_offsets_for_times(
      client, list.get(), static_cast<int>(context.timeout_ms));
  TM_RETURN_IF_ERROR(KafkaStatus(error, "cannot look the time up"));
  TM_RETURN_IF_ERROR(FirstError(list.get()));
  std::map<TopicPartition, int64_t> out;
  for (int i = 0; i < list->cnt; ++i) {
    const auto& one = list->elems[i];
    // Behind the last record librdkafka says "end", a negative number.
    out[{one.topic, one.partition}] = std::max<int64_t>(one.offset, -1);
  }
  return out;
}

Result<std::vector<Move>> Plan(const Context& context,
                               const OffsetTarget& target,
                               const std::vector<TopicPartition>& partitions,
                               const Offsets& committed) {
  TM_ASSIGN_OR_RETURN(auto client,
                      NewKafkaClient(RD_KAFKA_PRODUCER, context, {}));
  std::map<TopicPartition, int64_t> at_time;
  if (target.timestamp_ms) {
    TM_ASSIGN_OR_RETURN(at_time, AtTime(context, client.get(), partitions,
                                        *target.timestamp_ms));
  }
  std::map<TopicPartition, int64_t> given(target.from_file.begin(),
                                          target.from_file.end());
  std::vector<Move> moves;
  for (const TopicPartition& one : partitions) {
    OffsetRange range;
    const auto error = rd_kafka_query_watermark_offsets(
        client.get(), one.topic.c_str(), one.partition, &range.start,
        &range.end, static_cast<int>(context.timeout_ms));
    TM_RETURN_IF_ERROR(KafkaStatus(error, ToString(one)));
    if (const auto had = committed.find(one); had != committed.end()) {
      range.committed = had->second;
    }
    if (const auto found = at_time.find(one); found != at_time.end()) {
      range.at_timestamp = found->second;
    }
    OffsetTarget mine = target;
    if (const auto found = given.find(one); found != given.end()) {
      mine.offset = found->second;
    }
    const auto planned = PlannedOffset(mine, range);
    if (planned) moves.push_back({one, range.committed, *planned});
  }
  return moves;
}

Status CarryOut(const Context& context, const std::string& group,
                const std::vector<Move>& moves) {
  TM_ASSIGN_OR_RETURN(
      Question question,
      Question::New(context, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS));
  PartitionList list(
      rd_kafka_topic_partition_list_new(static_cast<int>(moves.size())));
  for (const Move& move : moves) {
    rd_kafka_topic_partition_list_add(list.get(), move.partition.topic.c_str(),
                                      move.partition.partition)
        ->offset = move.after;
  }
  auto* wanted =
      rd_kafka_AlterConsumerGroupOffsets_new(group.c_str(), list.get());
  auto answer = question.Send([&](auto* client, auto* options, auto* queue) {
    rd_kafka_AlterConsumerGroupOffsets(client, &wanted, 1, options, queue);
  });
  rd_kafka_AlterConsumerGroupOffsets_destroy(wanted);
  TM_ASSIGN_OR_RETURN(auto event, std::move(answer));
  size_t count = 0;
  const auto** groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
      rd_kafka_event_AlterConsumerGroupOffsets_result(event.get()), &count);
  Status done = FirstError(groups, count);
  if (!done && done.error().code == ErrorCode::kUnknownMemberId) {
    return Fail(ErrorCode::kNonEmptyGroup,
                "group " + group +
                    " has members, who would commit over it: stop them first");
  }
  return done;
}

void PrintMoves(const Context& context, const std::string& group,
                const std::vector<Move>& moves, bool executed) {
  Json json = Json::array();
  Table table({"TOPIC", "PARTITION", "BEFORE", "AFTER"});
  for (const Move& move : moves) {
    table.Add({move.partition.topic, std::to_string(move.partition.partition),
               move.before < 0 ? "-" : std::to_string(move.before),
               std::to_string(move.after)});
    json.push_back({{"topic", move.partition.topic},
                    {"partition", move.partition.partition},
                    {"before", move.before},
                    {"after", move.after}});
  }
  if (context.format == Format::kJson) {
    return PrintJson(
        {{"group", group}, {"executed", executed}, {"offsets", json}});
  }
  Print(table);
  if (!executed) {
    Print("nothing has been changed: add --execute to change it");
  }
}

// As the options give it.
struct ResetOptions {
  std::string group;
  Scope scope;
  OffsetTarget target;
  std::string time, duration, file;
  bool execute = false;
};

Result<OffsetTarget> TargetOf(const ResetOptions& options) {
  OffsetTarget target = options.target;
  if (!options.time.empty()) {
    TM_ASSIGN_OR_RETURN(target.timestamp_ms, ParseTime(options.time));
  }
  if (!options.duration.empty()) {
    TM_ASSIGN_OR_RETURN(const int64_t back, ParseDuration(options.duration));
    const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
    target.timestamp_ms = std::max<int64_t>(0, now - back);
  }
  if (!options.file.empty()) {
    std::ifstream in(options.file);
    std::stringstream text;
    if (!in || !(text << in.rdbuf())) {
      return Fail(ErrorCode::kInvalidRequest, "cannot read " + options.file);
    }
    TM_ASSIGN_OR_RETURN(target.from_file, ParseOffsetFile(text.str()));
  }
  const int forms = target.earliest + target.latest + target.current +
                    target.offset.has_value() + target.shift.has_value() +
                    target.timestamp_ms.has_value() + !options.file.empty();
  if (forms != 1 || (!options.time.empty() && !options.duration.empty())) {
    return Fail(ErrorCode::kInvalidRequest,
                "say once where to: --to-earliest, --to-latest, --to-current, "
                "--to-offset, --shift-by, --to-datetime, --by-duration or "
                "--from-file");
  }
  return target;
}

Status Reset(const Context& context, const ResetOptions& options) {
  TM_ASSIGN_OR_RETURN(const OffsetTarget target, TargetOf(options));
  const bool scoped = options.scope.all_topics || !options.scope.topics.empty();
  if (scoped != options.file.empty()) {
    return Fail(ErrorCode::kInvalidRequest,
                options.file.empty()
                    ? "say of which topics: --topic TOPIC or --all-topics"
                    : "the file says of which topics: leave --topic and "
                      "--all-topics out");
  }
  TM_ASSIGN_OR_RETURN(const Offsets committed,
                      CommittedOffsets(context, options.group));
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, offset] : target.from_file) {
    partitions.push_back(partition);
  }
  if (scoped) {
    TM_ASSIGN_OR_RETURN(partitions,
                        PartitionsIn(context, options.scope, committed));
  }
  TM_ASSIGN_OR_RETURN(const auto moves,
                      Plan(context, target, partitions, committed));
  if (options.execute && !moves.empty()) {
    TM_RETURN_IF_ERROR(CarryOut(context, options.group, moves));
  }
  PrintMoves(context, options.group, moves, options.execute);
  return {};
}

void AddScope(CLI::App& command, Scope& scope) {
  command
      .add_option("--topic", scope.topics,
                  "TOPIC, or TOPIC:0,2 for some of its partitions; repeat for "
                  "more")
      ->type_name("TOPIC");
  command.add_flag("--all-topics", scope.all_topics,
                   "All that the group has offsets of");
}

void AddReset(CLI::App& group, Context& context) {
  auto options = std::make_shared<ResetOptions>();
  CLI::App* command = AddCommand(
      group, context, "reset-offsets",
      "Move a group's offsets; shows what would be, unless --execute",
      [&context, options] { return Reset(context, *options); });
  command->add_option("group", options->group, "The group")->required();
  AddScope(*command, options->scope);
  OffsetTarget& to = options->target;
  command->add_flag("--to-earliest", to.earliest, "To the first record");
  command->add_flag("--to-latest", to.latest, "Behind the last record");
  command->add_flag("--to-current", to.current,
                    "To where it is, as far as that is still there");
  command->add_option("--to-offset", to.offset, "To this offset");
  command->add_option("--shift-by", to.shift,
                      "By so many records; negative: back");
  command->add_option("--to-datetime", options->time,
                      "To the first record that is not older, "
                      "2026-11-27T05:49:00.000");
  command->add_option("--by-duration", options->duration,
                      "Back by so much time: 90m, 36h, 7d, P1DT2H");
  command->add_option("--from-file", options->file,
                      "To what a file of TOPIC,PARTITION,OFFSET says");
  command->add_flag("--execute", options->execute, "Do it");
}

}  // namespace

void AddGroupChangeCommands(CLI::App& group, Context& context) {
  auto name = std::make_shared<std::string>();
  AddCommand(group, context, "delete", "Delete a group without members",
             [&context, name] { return Delete(context, *name); })
      ->add_option("group", *name, "The group")
      ->required();
  auto from = std::make_shared<std::string>();
  auto scope = std::make_shared<Scope>();
  CLI::App* command = AddCommand(
      group, context, "delete-offsets",
      "Forget a group's offsets of topics it does not read any more",
      [&context, from, scope]() -> Status {
        if (scope->topics.empty() && !scope->all_topics) {
          return Fail(ErrorCode::kInvalidRequest,
                      "say of which topics: --topic TOPIC or --all-topics");
        }
        return DeleteOffsets(context, *from, *scope);
      });
  command->add_option("group", *from, "The group")->required();
  AddScope(*command, *scope);
  AddReset(group, context);
}

}  // namespace tidemark::cli
