#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;
using List = admin::v1::ListPartitionReassignmentsResponse;

constexpr auto kLook = std::chrono::milliseconds(500);

struct ReassignOptions {
  std::string topic, file;
  std::vector<int32_t> partitions, replicas;
  bool status = false, cancel = false, wait = false, keep_factor = false;
};

// Where a partition is to go; without replicas only which one is meant.
struct Move {
  std::string topic;
  int32_t partition = 0;
  std::vector<int32_t> replicas;

  std::string Name() const { return topic + "-" + std::to_string(partition); }
};

tl::unexpected<Error> BadUse(const std::string& why) {
  return Fail(ErrorCode::kInvalidRequest, why);
}

Result<Move> ReadMove(const Json& from) {
  if (!from.is_object() || !from.contains("topic") ||
      !from["topic"].is_string() || !from.contains("partition") ||
      !from["partition"].is_number_integer()) {
    return BadUse(
        "each of its \"partitions\" needs a \"topic\" and a "
        "\"partition\"");
  }
  Move move{
      from["topic"].get<std::string>(), from["partition"].get<int32_t>(), {}};
  if (!from.contains("replicas")) return move;
  for (const Json& id : from["replicas"]) {
    if (!id.is_number_integer()) {
      return BadUse("\"replicas\" of " + move.Name() + " are ids of brokers");
    }
    move.replicas.push_back(id.get<int32_t>());
  }
  return move;
}

// The form of kafka-reassign-partitions: {"version":1,"partitions":[{"topic":
// "t","partition":0,"replicas":[1,2]}]}.
Result<std::vector<Move>> ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) return BadUse("cannot read " + path);
  const Json json = Json::parse(text.str(), nullptr, false);
  if (!json.is_object() || !json.contains("partitions") ||
      !json["partitions"].is_array()) {
    return BadUse(path + " is no JSON with \"partitions\"");
  }
  std::vector<Move> moves;
  for (const Json& partition : json["partitions"]) {
    auto move = ReadMove(partition);
    if (!move) return BadUse(path + ": " + move.error().message);
    moves.push_back(std::move(*move));
  }
  return moves;
}

// Which partitions the options name; none of a topic: all that move.
Result<std::vector<Move>> Named(const ReassignOptions& options) {
  if (!options.file.empty()) return ReadFile(options.file);
  std::vector<Move> moves;
  for (const int32_t partition : options.partitions) {
    moves.push_back({options.topic, partition, options.replicas});
  }
  return moves;
}

Result<List> AskMoving(AdminClient& client, const std::vector<Move>& moves) {
  admin::v1::ListPartitionReassignmentsRequest request;
  for (const Move& move : moves) {
    request.add_partitions()->set_topic(move.topic);
    request.mutable_partitions()->rbegin()->set_partition(move.partition);
  }
  return client.Call(request);
}

// Those that move, of the ones that are named.
Result<List> Moving(AdminClient& client, const ReassignOptions& options) {
  TM_ASSIGN_OR_RETURN(const auto moves, Named(options));
  TM_ASSIGN_OR_RETURN(List all, AskMoving(client, moves));
  if (options.topic.empty()) return all;
  List out;
  for (const auto& one : all.reassignments()) {
    if (one.topic() == options.topic) *out.add_reassignments() = one;
  }
  return out;
}

// What is still on its way of `all`, as it changes, until nothing is.
Status Wait(const Context& context, AdminClient& client,
            const std::vector<Move>& all) {
  size_t left = all.size() + 1;
  while (left > 0) {
    TM_ASSIGN_OR_RETURN(const List now, AskMoving(client, all));
    const auto moving = static_cast<size_t>(now.reassignments_size());
    if (moving != left && context.format == Format::kTable) {
      Print("moved " + std::to_string(all.size() - moving) + " of " +
            std::to_string(all.size()));
      TM_RETURN_IF_ERROR(FlushOutput());
    }
    left = moving;
    if (left > 0) std::this_thread::sleep_for(kLook);
  }
  return {};
}

// Somebody may have sent them elsewhere, or back.
Status CheckArrived(AdminClient& client, const std::vector<Move>& moves) {
  std::map<std::string, admin::v1::Topic> topics;
  for (const Move& move : moves) {
    if (topics.contains(move.topic)) continue;
    admin::v1::DescribeTopicsRequest request;
    request.add_names(move.topic);
    TM_ASSIGN_OR_RETURN(auto response, client.Call(request));
    auto& result = *response.mutable_topics(0);
    TM_RETURN_IF_ERROR(
        CodeToStatus(result.code(), result.name(), result.message()));
    topics[move.topic] = std::move(*result.mutable_topic());
  }
  for (const Move& move : moves) {
    const auto& topic = topics[move.topic];
    if (move.partition >= topic.partitions_size()) continue;
    const auto& now = topic.partitions(move.partition).replicas();
    if (std::vector<int32_t>(now.begin(), now.end()) == move.replicas) continue;
    return Fail(ErrorCode::kInvalidReplicaAssignment,
                move.Name() + " is on " + Join(now) + ", not on " +
                    Join(move.replicas) + ": it was moved otherwise meanwhile");
  }
  return {};
}

void PrintMoves(const Context& context, const List& list) {
  Json json = Json::array();
  Table table({"TOPIC", "PARTITION", "REPLICAS", "ADDING", "REMOVING"});
  const auto ids = [](const auto& of) {
    return std::vector<int>(of.begin(), of.end());
  };
  for (const auto& one : list.reassignments()) {
    table.Add({one.topic(), std::to_string(one.partition()),
               Join(one.replicas()), Join(one.adding_replicas()),
               Join(one.removing_replicas())});
    json.push_back({{"topic", one.topic()},
                    {"partition", one.partition()},
                    {"replicas", ids(one.replicas())},
                    {"adding", ids(one.adding_replicas())},
                    {"removing", ids(one.removing_replicas())}});
  }
  if (context.format == Format::kJson) {
    PrintJson(json);
  } else {
    Print(table);
  }
}

Status ShowStatus(const Context& context, const ReassignOptions& options) {
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const List list, Moving(client, options));
  PrintMoves(context, list);
  if (!options.wait || list.reassignments().empty()) return {};
  std::vector<Move> moves;
  for (const auto& one : list.reassignments()) {
    moves.push_back({one.topic(), one.partition(), {}});
  }
  return Wait(context, client, moves);
}

Result<std::vector<Move>> MovesToCancel(AdminClient& client,
                                        const ReassignOptions& options) {
  if (!options.file.empty() || !options.partitions.empty()) {
    return Named(options);
  }
  if (options.topic.empty()) {
    return BadUse("--cancel needs a topic or a --file");
  }
  TM_ASSIGN_OR_RETURN(const List list, Moving(client, options));
  std::vector<Move> moves;
  for (const auto& one : list.reassignments()) {
    moves.push_back({one.topic(), one.partition(), {}});
  }
  return moves;
}

Status Alter(const Context& context, const ReassignOptions& options) {
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto moves, options.cancel
                                            ? MovesToCancel(client, options)
                                            : Named(options));
  if (moves.empty()) {
    return BadUse("nothing to do: give a --file, or a topic with --partition");
  }
  admin::v1::AlterPartitionReassignmentsRequest request;
  request.set_keep_replication_factor(options.keep_factor);
  for (const Move& move : moves) {
    auto* to = request.add_partitions();
    to->set_topic(move.topic);
    to->set_partition(move.partition);
    if (options.cancel) continue;
    to->mutable_replicas()->mutable_broker_ids()->Add(move.replicas.begin(),
                                                      move.replicas.end());
  }
  TM_ASSIGN_OR_RETURN(const auto response, client.Call(request));
  Status failure;
  std::vector<Move> begun;
  Json json = Json::array();
  for (int i = 0; i < response.partitions_size(); ++i) {
    const auto& result = response.partitions(i);
    const Move& move = moves[static_cast<size_t>(i)];
    if (result.code() != 0) {
      failure = CodeToStatus(result.code(), move.Name(), result.message());
      continue;
    }
    if (context.format == Format::kTable) {
      Print(options.cancel
                ? "cancelled " + move.Name()
                : "moving " + move.Name() + " to " + Join(move.replicas));
    }
    json.push_back({{"topic", move.topic}, {"partition", move.partition}});
    begun.push_back(move);
  }
  if (context.format == Format::kJson) PrintJson(json);
  if (!failure || !options.wait || options.cancel || begun.empty()) {
    return failure;
  }
  TM_RETURN_IF_ERROR(Wait(context, client, begun));
  return CheckArrived(client, begun);
}

}  // namespace

void AddReassignCommand(CLI::App& topic, Context& context) {
  auto options = std::make_shared<ReassignOptions>();
  auto* command =
      AddCommand(topic, context, "reassign", "Move partitions to other brokers",
                 [&context, options]() -> Status {
                   return options->status ? ShowStatus(context, *options)
                                          : Alter(context, *options);
                 });
  auto* name = command->add_option("name", options->topic, "The topic");
  auto* partition =
      command
          ->add_option("--partition", options->partitions, "Which partitions")
          ->delimiter(',')
          ->needs(name);
  auto* replicas =
      command
          ->add_option("--replicas", options->replicas,
                       "Their brokers from now on: 1,2,3; the first leads")
          ->delimiter(',')
          ->needs(partition);
  auto* file = command->add_option(
      "--file", options->file,
      "What is to go where, as kafka-reassign-partitions has it: "
      "{\"partitions\":[{\"topic\":\"t\",\"partition\":0,\"replicas\":[1,2]}]"
      "}");
  file->excludes(name);
  auto* status = command->add_flag("--status", options->status,
                                   "Show what moves; change nothing");
  auto* cancel =
      command->add_flag("--cancel", options->cancel,
                        "Back to the brokers from before, what moves");
  status->excludes(cancel)->excludes(replicas);
  cancel->excludes(replicas);
  command->add_flag("--wait", options->wait, "Until all of it has moved");
  command->add_flag("--keep-replication-factor", options->keep_factor,
                    "Refuse other numbers of replicas than there are");
}

}  // namespace tidemark::cli
