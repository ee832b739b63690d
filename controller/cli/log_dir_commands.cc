// Where the replicas of brokers lie, and moving them (KIP-113).

#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "common/kafka/messages/alter_replica_log_dirs.h"
#include "common/kafka/messages/describe_log_dirs.h"
#include "controller/cli/command.h"
#include "controller/cli/kafka_connection.h"
#include "controller/cli/offset_plan.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kLookAgain(200);

struct LogDirOptions {
  std::string topic;  // "orders:0,2"; for the list "": all
  NodeId broker = kNoNode;
  std::string directory;
  bool wait = false;
};

struct Replica {
  NodeId broker = kNoNode;
  std::string directory;
  std::string error;  // of the directory
  TopicPartition partition;
  int64_t bytes = 0;
  int64_t lag = 0;
  bool future = false;
};

Result<std::vector<Replica>> Describe(KafkaBrokers& brokers, NodeId broker,
                                      const TopicScope& scope) {
  kafka::DescribeLogDirsRequest request;
  if (!scope.topic.empty() && !scope.partitions.empty()) {
    request.topics.emplace().push_back({scope.topic, scope.partitions});
  }
  TM_ASSIGN_OR_RETURN(auto answer, brokers.Call<kafka::DescribeLogDirsResponse>(
                                       broker, request, 4));
  TM_RETURN_IF_ERROR(
      CodeToStatus(answer.error_code, "broker " + std::to_string(broker), ""));
  std::vector<Replica> found;
  for (const auto& directory : answer.results) {
    if (directory.error_code != 0) {
      found.push_back({broker, directory.log_dir,
                       std::string(ErrorName(
                           static_cast<ErrorCode>(directory.error_code)))});
    }
    for (const auto& topic : directory.topics) {
      if (!scope.topic.empty() && topic.name != scope.topic) continue;
      for (const auto& one : topic.partitions) {
        found.push_back({broker,
                         directory.log_dir,
                         "",
                         {topic.name, one.partition_index},
                         one.partition_size,
                         one.offset_lag,
                         one.is_future_key});
      }
    }
  }
  return found;
}

Status Show(const Context& context, const LogDirOptions& options) {
  TopicScope scope;
  if (!options.topic.empty()) {
    TM_ASSIGN_OR_RETURN(scope, ParseScope(options.topic));
  }
  TM_ASSIGN_OR_RETURN(KafkaBrokers brokers, KafkaBrokers::Find(context));
  Json json = Json::array();
  Table table(
      {"BROKER", "LOG DIR", "TOPIC", "PARTITION", "BYTES", "LAG", "STATE"});
  for (const auto& broker : brokers.metadata().brokers) {
    if (options.broker != kNoNode && options.broker != broker.node_id) continue;
    TM_ASSIGN_OR_RETURN(const auto found,
                        Describe(brokers, broker.node_id, scope));
    for (const Replica& one : found) {
      if (!one.error.empty()) {
        table.Add({std::to_string(one.broker), one.directory, "-", "-", "-",
                   "-", one.error});
        json.push_back({{"broker", one.broker},
                        {"log_dir", one.directory},
                        {"error", one.error}});
        continue;
      }
      table.Add({std::to_string(one.broker), one.directory, one.partition.topic,
                 std::to_string(one.partition.partition),
                 std::to_string(one.bytes), std::to_string(one.lag),
                 one.future ? "moves here" : "-"});
      json.push_back({{"broker", one.broker},
                      {"log_dir", one.directory},
                      {"topic", one.partition.topic},
                      {"partition", one.partition.partition},
                      {"bytes", one.bytes},
                      {"lag", one.lag},
                      {"moves_here", one.future}});
    }
  }
  context.format == Format::kJson ? PrintJson(json) : Print(table);
  return {};
}

// Those of the topic that the broker has, where none are named.
Result<TopicScope> Wanted(KafkaBrokers& brokers, const LogDirOptions& options) {
  TM_ASSIGN_OR_RETURN(TopicScope scope, ParseScope(options.topic));
  if (!scope.partitions.empty()) return scope;
  TM_ASSIGN_OR_RETURN(const auto found,
                      Describe(brokers, options.broker, scope));
  std::set<int32_t> there;
  for (const Replica& one : found) {
    if (one.error.empty()) there.insert(one.partition.partition);
  }
  if (there.empty()) {
    return Fail(ErrorCode::kReplicaNotAvailable,
                "broker " + std::to_string(options.broker) +
                    " has no replica of " + scope.topic);
  }
  scope.partitions.assign(there.begin(), there.end());
  return scope;
}

Status Await(KafkaBrokers& brokers, const LogDirOptions& options,
             const TopicScope& scope) {
  while (true) {
    TM_ASSIGN_OR_RETURN(const auto found,
                        Describe(brokers, options.broker, scope));
    bool moving = false;
    for (const Replica& one : found) moving |= one.future;
    if (!moving) break;
    std::this_thread::sleep_for(kLookAgain);
  }
  TM_ASSIGN_OR_RETURN(const auto found,
                      Describe(brokers, options.broker, scope));
  for (const Replica& one : found) {
    if (one.error.empty() && one.directory != options.directory) {
      return Fail(ErrorCode::kKafkaStorageError,
                  ToString(one.partition) + " has stayed in " + one.directory);
    }
  }
  return {};
}

Status Move(const Context& context, const LogDirOptions& options) {
  TM_ASSIGN_OR_RETURN(KafkaBrokers brokers, KafkaBrokers::Find(context));
  TM_ASSIGN_OR_RETURN(const TopicScope scope, Wanted(brokers, options));
  kafka::AlterReplicaLogDirsRequest request;
  request.dirs.push_back(
      {options.directory, {{scope.topic, scope.partitions}}});
  TM_ASSIGN_OR_RETURN(const auto answer,
                      brokers.Call<kafka::AlterReplicaLogDirsResponse>(
                          options.broker, request, 2));
  Json json = Json::array();
  Table table({"TOPIC", "PARTITION", "RESULT"});
  Status failed;
  for (const auto& topic : answer.results) {
    for (const auto& one : topic.partitions) {
      const auto code = static_cast<ErrorCode>(one.error_code);
      const std::string said =
          code == ErrorCode::kNone ? "moves" : std::string(ErrorName(code));
      table.Add({topic.topic_name, std::to_string(one.partition_index), said});
      json.push_back({{"topic", topic.topic_name},
                      {"partition", one.partition_index},
                      {"result", said}});
      if (code != ErrorCode::kNone && failed) {
        failed = CodeToStatus(
            one.error_code,
            topic.topic_name + "-" + std::to_string(one.partition_index), "");
      }
    }
  }
  context.format == Format::kJson ? PrintJson(json) : Print(table);
  TM_RETURN_IF_ERROR(failed);
  return options.wait ? Await(brokers, options, scope) : Status();
}

}  // namespace

void AddLogDirCommands(CLI::App& partition, Context& context) {
  auto options = std::make_shared<LogDirOptions>();
  CLI::App* show = AddCommand(
      partition, context, "log-dirs", "Show where replicas lie, and which move",
      [&context, options] { return Show(context, *options); });
  show->add_option("--topic", options->topic, "TOPIC, or TOPIC:0,2")
      ->type_name("TOPIC");
  show->add_option("--broker", options->broker, "Of this one only")
      ->type_name("ID");
  CLI::App* move =
      AddCommand(partition, context, "move",
                 "Move replicas of a broker to another of its log directories",
                 [&context, options] { return Move(context, *options); });
  move->add_option("topic", options->topic,
                   "TOPIC, or TOPIC:0,2 for some of its partitions")
      ->required()
      ->type_name("TOPIC");
  move->add_option("--broker", options->broker, "Whose replicas")
      ->required()
      ->type_name("ID");
  move->add_option("--log-dir", options->directory,
                   "Where to, as the broker's log.dirs has it")
      ->required()
      ->type_name("PATH");
  move->add_flag("--wait", options->wait, "Until they are there");
}

}  // namespace tidemark::cli
