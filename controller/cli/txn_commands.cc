#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "common/kafka/messages/describe_producers.h"
#include "common/kafka/messages/describe_transactions.h"
#include "common/kafka/messages/list_transactions.h"
#include "common/kafka/messages/write_txn_markers.h"
#include "controller/cli/command.h"
#include "controller/cli/kafka_connection.h"
#include "controller/cli/offset_plan.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;
using Listed = kafka::ListTransactionsResponse::TransactionState;
using Described = kafka::DescribeTransactionsResponse::TransactionState;
using Producer = kafka::DescribeProducersResponse::ProducerState;

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct ListOptions {
  std::vector<std::string> states;
  std::vector<int64_t> producers;
  int64_t running_longer_ms = -1;
};

struct Coordinated {
  NodeId coordinator = kNoNode;
  Listed transaction;
};

Result<std::vector<Coordinated>> ListAll(KafkaBrokers& brokers,
                                         const ListOptions& options) {
  kafka::ListTransactionsRequest request;
  request.state_filters = options.states;
  request.producer_id_filters = options.producers;
  request.duration_filter = options.running_longer_ms;
  std::vector<Coordinated> all;
  for (const auto& broker : brokers.metadata().brokers) {
    TM_ASSIGN_OR_RETURN(auto answer,
                        brokers.Call<kafka::ListTransactionsResponse>(
                            broker.node_id, request, 1));
    TM_RETURN_IF_ERROR(CodeToStatus(
        answer.error_code, "broker " + std::to_string(broker.node_id), ""));
    if (!answer.unknown_state_filters.empty()) {
      return Fail(ErrorCode::kInvalidRequest,
                  "no transaction is ever '" + answer.unknown_state_filters[0] +
                      "': Empty, Ongoing, PrepareCommit, PrepareAbort, "
                      "CompleteCommit, CompleteAbort");
    }
    for (Listed& one : answer.transaction_states) {
      all.push_back({broker.node_id, std::move(one)});
    }
  }
  return all;
}

Status List(const Context& context, const ListOptions& options) {
  TM_ASSIGN_OR_RETURN(KafkaBrokers brokers, KafkaBrokers::Find(context));
  TM_ASSIGN_OR_RETURN(const auto all, ListAll(brokers, options));
  Json json = Json::array();
  Table table({"TRANSACTIONAL ID", "COORDINATOR", "PRODUCER", "STATE"});
  for (const Coordinated& one : all) {
    const Listed& t = one.transaction;
    table.Add({t.transactional_id, std::to_string(one.coordinator),
               std::to_string(t.producer_id), t.transaction_state});
    json.push_back({{"transactional_id", t.transactional_id},
                    {"coordinator", one.coordinator},
                    {"producer_id", t.producer_id},
                    {"state", t.transaction_state}});
  }
  context.format == Format::kJson ? PrintJson(json) : Print(table);
  return {};
}

Result<Described> DescribeOne(KafkaBrokers& brokers, NodeId coordinator,
                              const std::string& id) {
  kafka::DescribeTransactionsRequest request;
  request.transactional_ids = {id};
  TM_ASSIGN_OR_RETURN(auto answer,
                      brokers.Call<kafka::DescribeTransactionsResponse>(
                          coordinator, request, 0));
  if (answer.transaction_states.empty()) {
    return Fail(ErrorCode::kTransactionalIdNotFound, id);
  }
  Described& one = answer.transaction_states[0];
  TM_RETURN_IF_ERROR(CodeToStatus(one.error_code, id, ""));
  return std::move(one);
}

Status Describe(const Context& context, const std::string& id) {
  TM_ASSIGN_OR_RETURN(KafkaBrokers brokers, KafkaBrokers::Find(context));
  TM_ASSIGN_OR_RETURN(const NodeId coordinator,
                      brokers.CoordinatorOfTransaction(id));
  TM_ASSIGN_OR_RETURN(const Described t, DescribeOne(brokers, coordinator, id));
  Json partitions = Json::array();
  std::string listed;
  for (const auto& topic : t.topics) {
    for (const int32_t partition : topic.partitions) {
      const std::string name = topic.topic + "-" + std::to_string(partition);
      partitions.push_back(name);
      listed += (listed.empty() ? "" : " ") + name;
    }
  }
  const int64_t started = t.transaction_start_time_ms;
  if (context.format == Format::kJson) {
    PrintJson({{"transactional_id", id},
               {"coordinator", coordinator},
               {"producer_id", t.producer_id},
               {"producer_epoch", t.producer_epoch},
               {"state", t.transaction_state},
               {"timeout_ms", t.transaction_timeout_ms},
               {"start_ms", started},
               {"partitions", partitions}});
    return {};
  }
  Table table({"COORDINATOR", "PRODUCER", "EPOCH", "STATE", "TIMEOUT MS",
               "RUNS FOR MS", "PARTITIONS"});
  table.Add({std::to_string(coordinator), std::to_string(t.producer_id),
             std::to_string(t.producer_epoch), t.transaction_state,
             std::to_string(t.transaction_timeout_ms),
             started < 0 ? "-" : std::to_string(NowMs() - started), listed});
  Print(table);
  return {};
}

Result<std::vector<Producer>> ProducersOf(KafkaBrokers& brokers,
                                          const TopicPartition& partition) {
  TM_ASSIGN_OR_RETURN(const NodeId leader, brokers.LeaderOf(partition));
  kafka::DescribeProducersRequest request;
  request.topics.push_back({partition.topic, {partition.partition}});
  TM_ASSIGN_OR_RETURN(
      auto answer,
      brokers.Call<kafka::DescribeProducersResponse>(leader, request, 0));
  if (answer.topics.empty() || answer.topics[0].partitions.empty()) {
    return Fail(ErrorCode::kUnknownServerError,
                "no answer about " + ToString(partition));
  }
  auto& one = answer.topics[0].partitions[0];
  TM_RETURN_IF_ERROR(CodeToStatus(one.error_code, ToString(partition),
                                  one.error_message.value_or("")));
  return std::move(one.active_producers);
}

// "orders:3", exactly one partition.
Result<TopicPartition> OnePartition(const std::string& text) {
  TM_ASSIGN_OR_RETURN(TopicScope scope, ParseScope(text));
  if (scope.partitions.size() != 1) {
    return Fail(ErrorCode::kInvalidRequest,
                "'" + text + "' is not one partition: write TOPIC:PARTITION");
  }
  return TopicPartition{scope.topic, scope.partitions[0]};
}

struct AbortOptions {
  std::string partition;
  int64_t start_offset = -1;
};

// The open transaction that begins there.
Result<Producer> OpenAt(KafkaBrokers& brokers, const TopicPartition& partition,
                        int64_t start_offset) {
  TM_ASSIGN_OR_RETURN(auto producers, ProducersOf(brokers, partition));
  for (const Producer& one : producers) {
    if (one.current_txn_start_offset == start_offset) return one;
  }
  return Fail(ErrorCode::kInvalidTxnState,
              "no transaction that is open begins at offset " +
                  std::to_string(start_offset) + " of " + ToString(partition) +
                  "; see tidemark txn find-hanging");
}

Status Abort(const Context& context, const AbortOptions& options) {
  if (options.start_offset < 0) {
    return Fail(ErrorCode::kInvalidRequest,
                "no transaction begins at offset " +
                    std::to_string(options.start_offset));
  }
  TM_ASSIGN_OR_RETURN(const TopicPartition partition,
                      OnePartition(options.partition));
  TM_ASSIGN_OR_RETURN(KafkaBrokers brokers, KafkaBrokers::Find(context));
  TM_ASSIGN_OR_RETURN(const Producer producer,
                      OpenAt(brokers, partition, options.start_offset));
  TM_ASSIGN_OR_RETURN(const NodeId leader, brokers.LeaderOf(partition));
  kafka::WriteTxnMarkersRequest request;
  auto& marker = request.markers.emplace_back();
  marker.producer_id = producer.producer_id;
  marker.producer_epoch = static_cast<int16_t>(producer.producer_epoch);
  // Not above what the partition knows, or its coordinator would be fenced.
  marker.coordinator_epoch = std::max(0, producer.coordinator_epoch);
  marker.topics.push_back({partition.topic, {partition.partition}});
  TM_ASSIGN_OR_RETURN(
      const auto answer,
      brokers.Call<kafka::WriteTxnMarkersResponse>(leader, request, 1));
  for (const auto& one : answer.markers) {
    for (const auto& topic : one.topics) {
      for (const auto& result : topic.partitions) {
        TM_RETURN_IF_ERROR(
            CodeToStatus(result.error_code, ToString(partition), ""));
      }
    }
  }
  if (context.format == Format::kJson) {
    PrintJson({{"aborted", ToString(partition)},
               {"producer_id", producer.producer_id},
               {"start_offset", options.start_offset}});
  } else {
    Print("aborted the transaction of producer " +
          std::to_string(producer.producer_id) + " at " + ToString(partition));
  }
  return {};
}

struct HangingOptions {
  std::vector<std::string> topics;  // "orders:0,2"; none: all
  int64_t longer_than_ms = 0;
};

struct Hanging {
  TopicPartition partition;
  Producer producer;
};

Result<std::vector<TopicPartition>> Looked(const KafkaBrokers& brokers,
                                           const HangingOptions& options) {
  std::map<std::string, std::set<int32_t>> wanted;
  for (const std::string& text : options.topics) {
    TM_ASSIGN_OR_RETURN(const TopicScope scope, ParseScope(text));
    wanted[scope.topic].insert(scope.partitions.begin(),
                               scope.partitions.end());
  }
  std::vector<TopicPartition> out;
  for (const auto& topic : brokers.metadata().topics) {
    const std::string name = topic.name.value_or("");
    const auto want = wanted.find(name);
    if (!wanted.empty() && want == wanted.end()) continue;
    for (const auto& one : topic.partitions) {
      const bool all = wanted.empty() || want->second.empty();
      if (one.leader_id >= 0 &&
          (all || want->second.contains(one.partition_index))) {
        out.push_back({name, one.partition_index});
      }
    }
  }
  return out;
}

// KIP-664: open for longer than any may be, and its coordinator does not know
// that the partition is in it.
Result<std::vector<Hanging>> FindHanging(KafkaBrokers& brokers,
                                         const HangingOptions& options) {
  TM_ASSIGN_OR_RETURN(const auto partitions, Looked(brokers, options));
  std::vector<Hanging> old;
  const int64_t now = NowMs();
  for (const TopicPartition& partition : partitions) {
    TM_ASSIGN_OR_RETURN(const auto producers, ProducersOf(brokers, partition));
    for (const Producer& one : producers) {
      if (one.current_txn_start_offset >= 0 &&
          now - one.last_timestamp > options.longer_than_ms) {
        old.push_back({partition, one});
      }
    }
  }
  if (old.empty()) return old;
  TM_ASSIGN_OR_RETURN(const auto listed, ListAll(brokers, {}));
  std::map<int64_t, Coordinated> by_producer;
  for (const Coordinated& one : listed) {
    by_producer[one.transaction.producer_id] = one;
  }
  std::vector<Hanging> hanging;
  for (const Hanging& one : old) {
    const auto known = by_producer.find(one.producer.producer_id);
    bool within = false;
    if (known != by_producer.end()) {
      TM_ASSIGN_OR_RETURN(
          const Described t,
          DescribeOne(brokers, known->second.coordinator,
                      known->second.transaction.transactional_id));
      for (const auto& topic : t.topics) {
        within |= topic.topic == one.partition.topic &&
                  std::count(topic.partitions.begin(), topic.partitions.end(),
                             one.partition.partition) > 0;
      }
    }
    if (!within) hanging.push_back(one);
  }
  return hanging;
}

Status ShowHanging(const Context& context, const HangingOptions& options) {
  TM_ASSIGN_OR_RETURN(KafkaBrokers brokers, KafkaBrokers::Find(context));
  TM_ASSIGN_OR_RETURN(const auto hanging, FindHanging(brokers, options));
  Json json = Json::array();
  Table table({"TOPIC", "PARTITION", "PRODUCER", "EPOCH", "START OFFSET",
               "LAST WRITE MS AGO"});
  const int64_t now = NowMs();
  for (const Hanging& one : hanging) {
    const Producer& p = one.producer;
    table.Add({one.partition.topic, std::to_string(one.partition.partition),
               std::to_string(p.producer_id), std::to_string(p.producer_epoch),
               std::to_string(p.current_txn_start_offset),
               std::to_string(now - p.last_timestamp)});
    json.push_back({{"topic", one.partition.topic},
                    {"partition", one.partition.partition},
                    {"producer_id", p.producer_id},
                    {"producer_epoch", p.producer_epoch},
                    {"start_offset", p.current_txn_start_offset},
                    {"last_timestamp_ms", p.last_timestamp}});
  }
  context.format == Format::kJson ? PrintJson(json) : Print(table);
  return {};
}

void AddList(CLI::App& noun, Context& context) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* command =
      AddCommand(noun, context, "list", "List transactional ids",
                 [&context, options] { return List(context, *options); });
  command->add_option("--state", options->states,
                      "Only in this state: Ongoing, ...; repeat for more");
  command->add_option("--producer-id", options->producers,
                      "Only of this producer; repeat for more");
  command->add_option("--running-longer-than-ms", options->running_longer_ms,
                      "Only transactions that have been open for longer");
}

void AddHanging(CLI::App& noun, Context& context) {
  auto hanging = std::make_shared<HangingOptions>();
  hanging->longer_than_ms = 15LL * 60 * 1000;  // transaction.max.timeout.ms
  CLI::App* command = AddCommand(
      noun, context, "find-hanging",
      "Find transactions that hold partitions and that nobody will end",
      [&context, hanging] { return ShowHanging(context, *hanging); });
  command
      ->add_option("--topic", hanging->topics,
                   "TOPIC or TOPIC:0,2 (default: all); repeat for more")
      ->type_name("TOPIC");
  command
      ->add_option("--longer-than-ms", hanging->longer_than_ms,
                   "How long nothing has been written: no less than the "
                   "brokers' transaction.max.timeout.ms")
      ->capture_default_str();
}

}  // namespace

void AddTxnCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "txn", "Transactions (asks the brokers)");
  AddList(*noun, context);
  auto id = std::make_shared<std::string>();
  AddCommand(*noun, context, "describe", "Show the transaction of an id",
             [&context, id] { return Describe(context, *id); })
      ->add_option("transactional-id", *id, "The transactional id")
      ->required();
  auto abort = std::make_shared<AbortOptions>();
  CLI::App* command = AddCommand(
      *noun, context, "abort", "End a hanging transaction at one partition",
      [&context, abort] { return Abort(context, *abort); });
  command->add_option("partition", abort->partition, "TOPIC:PARTITION")
      ->required();
  command
      ->add_option("--start-offset", abort->start_offset,
                   "Where it begins, as find-hanging says")
      ->required();
  AddHanging(*noun, context);
}

}  // namespace tidemark::cli
