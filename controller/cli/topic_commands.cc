#include <CLI/CLI.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/base/uuid.h"
#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

struct TopicOptions {
  std::vector<std::string> names;
  int32_t partitions = -1;
  int32_t replication_factor = -1;
  std::string assignment;
  std::vector<std::string> set, remove;
  bool if_not_exists = false, if_exists = false, validate_only = false;
};

std::string IdText(const std::string& raw) {
  auto id = Uuid::FromBytes(raw);
  return id ? ToString(*id) : "";
}

// "1:2:3,2:3:1": the replicas of partition 0, of partition 1, ...
Status ParseAssignment(const std::string& text,
                       const std::function<admin::v1::Replicas*()>& add) {
  for (const std::string& partition : SplitList(text, ',')) {
    admin::v1::Replicas* replicas = add();
    for (const std::string& broker : SplitList(partition, ':')) {
      int32_t id = 0;
      auto [end, error] =
          std::from_chars(broker.data(), broker.data() + broker.size(), id);
      if (error != std::errc() || end != broker.data() + broker.size()) {
        return Fail(ErrorCode::kInvalidReplicaAssignment,
                    "--assignment wants broker ids like 1:2:3,2:3:1, not '" +
                        text + "'");
      }
      replicas->add_broker_ids(id);
    }
  }
  return {};
}

Status Create(const Context& context, const TopicOptions& options) {
  admin::v1::CreateTopicsRequest request;
  request.set_validate_only(options.validate_only);
  for (const std::string& name : options.names) {
    auto* topic = request.add_topics();
    topic->set_name(name);
    topic->set_partitions(options.partitions);
    topic->set_replication_factor(options.replication_factor);
    TM_RETURN_IF_ERROR(ParseAssignment(
        options.assignment, [&] { return topic->add_assignment(); }));
    for (const std::string& entry : options.set) {
      TM_ASSIGN_OR_RETURN(auto pair, SplitPair(entry));
      (*topic->mutable_configs())[pair.first] = pair.second;
    }
  }
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(auto response, client.Call(request));
  Json json = Json::array();
  Status failure;
  for (const auto& topic : response.topics()) {
    bool there =
        static_cast<ErrorCode>(topic.code()) == ErrorCode::kTopicAlreadyExists;
    if (topic.code() != 0 && !(there && options.if_not_exists)) {
      failure = CodeToStatus(topic.code(), topic.name(), topic.message());
      continue;
    }
    if (context.format == Format::kTable) {
      Print((there ? "exists already: " : "created ") + topic.name());
    }
    json.push_back({{"name", topic.name()},
                    {"id", IdText(topic.topic_id())},
                    {"partitions", topic.partitions()},
                    {"replication_factor", topic.replication_factor()},
                    {"created", !there}});
  }
  if (context.format == Format::kJson) PrintJson(json);
  return failure;
}

Result<std::vector<admin::v1::Topic>> Describe(
    const Context& context, const std::vector<std::string>& names) {
  admin::v1::DescribeTopicsRequest request;
  for (const std::string& name : names) request.add_names(name);
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(auto response, client.Call(request));
  std::vector<admin::v1::Topic> topics;
  for (auto& result : *response.mutable_topics()) {
    TM_RETURN_IF_ERROR(
        CodeToStatus(result.code(), result.name(), result.message()));
    topics.push_back(std::move(*result.mutable_topic()));
  }
  return topics;
}

int UnderReplicated(const admin::v1::Topic& topic) {
  int count = 0;
  for (const auto& p : topic.partitions()) {
    count += p.isr_size() < p.replicas_size();
  }
  return count;
}

int ReplicationFactor(const admin::v1::Topic& topic) {
  return topic.partitions_size() == 0 ? 0 : topic.partitions(0).replicas_size();
}

Status List(const Context& context, const TopicOptions&) {
  TM_ASSIGN_OR_RETURN(auto topics, Describe(context, {}));
  std::sort(topics.begin(), topics.end(),
            [](const auto& a, const auto& b) { return a.name() < b.name(); });
  Json json = Json::array();
  Table table({"TOPIC", "PARTITIONS", "REPLICAS", "UNDER-REPLICATED"});
  for (const auto& topic : topics) {
    table.Add({topic.name(), std::to_string(topic.partitions_size()),
               std::to_string(ReplicationFactor(topic)),
               std::to_string(UnderReplicated(topic))});
    json.push_back({{"name", topic.name()},
                    {"id", IdText(topic.topic_id())},
                    {"internal", topic.internal()},
                    {"partitions", topic.partitions_size()},
                    {"replication_factor", ReplicationFactor(topic)},
                    {"under_replicated", UnderReplicated(topic)}});
  }
  if (context.format == Format::kJson) {
    PrintJson(json);
  } else {
    Print(table);
  }
  return {};
}

Status DescribeAll(const Context& context, const TopicOptions& options) {
  TM_ASSIGN_OR_RETURN(auto topics, Describe(context, options.names));
  Json json = Json::array();
  for (const auto& topic : topics) {
    Table table({"PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "ELR"});
    Json partitions = Json::array();
    for (const auto& p : topic.partitions()) {
      table.Add({std::to_string(p.partition()),
                 p.leader() < 0 ? "none" : std::to_string(p.leader()),
                 std::to_string(p.leader_epoch()), Join(p.replicas()),
                 Join(p.isr()), Join(p.eligible_leader_replicas())});
      partitions.push_back(
          {{"partition", p.partition()},
           {"leader", p.leader()},
           {"leader_epoch", p.leader_epoch()},
           {"replicas",
            std::vector<int>(p.replicas().begin(), p.replicas().end())},
           {"isr", std::vector<int>(p.isr().begin(), p.isr().end())},
           {"elr", std::vector<int>(p.eligible_leader_replicas().begin(),
                                    p.eligible_leader_replicas().end())}});
    }
    if (context.format == Format::kTable) {
      Print("topic " + topic.name() + "  id " + IdText(topic.topic_id()) +
            (topic.internal() ? "  internal" : ""));
      Print(table);
    }
    json.push_back({{"name", topic.name()},
                    {"id", IdText(topic.topic_id())},
                    {"internal", topic.internal()},
                    {"partitions", partitions}});
  }
  if (context.format == Format::kJson) PrintJson(json);
  return {};
}

Status Delete(const Context& context, const TopicOptions& options) {
  admin::v1::DeleteTopicsRequest request;
  for (const std::string& name : options.names) request.add_names(name);
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(auto response, client.Call(request));
  Json json = Json::array();
  Status failure;
  for (const auto& topic : response.topics()) {
    bool missing = static_cast<ErrorCode>(topic.code()) ==
                   ErrorCode::kUnknownTopicOrPartition;
    if (topic.code() != 0 && !(missing && options.if_exists)) {
      failure = CodeToStatus(topic.code(), topic.name(), topic.message());
      continue;
    }
    if (context.format == Format::kTable) {
      Print((missing ? "is not there: " : "deleted ") + topic.name());
    }
    json.push_back({{"name", topic.name()}, {"deleted", !missing}});
  }
  if (context.format == Format::kJson) PrintJson(json);
  return failure;
}

Status AlterPartitions(AdminClient& client, const TopicOptions& options) {
  admin::v1::CreatePartitionsRequest request;
  request.set_validate_only(options.validate_only);
  auto* topic = request.add_topics();
  topic->set_name(options.names[0]);
  topic->set_count(options.partitions);
  TM_RETURN_IF_ERROR(ParseAssignment(options.assignment,
                                     [&] { return topic->add_assignment(); }));
  TM_ASSIGN_OR_RETURN(auto response, client.Call(request));
  for (const auto& result : response.topics()) {
    TM_RETURN_IF_ERROR(
        CodeToStatus(result.code(), result.name(), result.message()));
  }
  return {};
}

Status AlterConfigs(AdminClient& client, const TopicOptions& options) {
  admin::v1::AlterConfigsRequest request;
  request.set_validate_only(options.validate_only);
  auto* resource = request.add_resources();
  resource->mutable_resource()->set_type(2);
  resource->mutable_resource()->set_name(options.names[0]);
  for (const std::string& entry : options.set) {
    TM_ASSIGN_OR_RETURN(auto pair, SplitPair(entry));
    auto* change = resource->add_changes();
    change->set_key(pair.first);
    change->set_value(pair.second);
  }
  for (const std::string& key : options.remove) {
    auto* change = resource->add_changes();
    change->set_key(key);
    change->set_op(admin::v1::DELETE);
  }
  TM_ASSIGN_OR_RETURN(auto response, client.Call(request));
  for (const auto& result : response.resources()) {
    TM_RETURN_IF_ERROR(CodeToStatus(result.code(), result.resource().name(),
                                    result.message()));
  }
  return {};
}

Status Alter(const Context& context, const TopicOptions& options) {
  bool configs = !options.set.empty() || !options.remove.empty();
  if (options.partitions < 0 && !configs) {
    return Fail(ErrorCode::kInvalidRequest,
                "nothing to change: give --partitions, --set or --delete");
  }
  AdminClient client(context);
  if (options.partitions >= 0) {
    TM_RETURN_IF_ERROR(AlterPartitions(client, options));
  }
  if (configs) TM_RETURN_IF_ERROR(AlterConfigs(client, options));
  if (context.format == Format::kJson) {
    PrintJson({{"name", options.names[0]}, {"altered", true}});
  } else {
    Print("altered " + options.names[0]);
  }
  return {};
}

}  // namespace

void AddTopicCommands(CLI::App& app, Context& context) {
  auto options = std::make_shared<TopicOptions>();
  auto* noun = AddNoun(app, "topic", "Create, look at and change topics");
  auto verb = [&](const char* name, const char* text,
                  Status (*run)(const Context&, const TopicOptions&)) {
    return AddCommand(*noun, context, name, text, [&context, options, run] {
      return run(context, *options);
    });
  };
  auto* create = verb("create", "Create topics", Create);
  create->add_option("name", options->names, "Topics")->required();
  create->add_option("--partitions", options->partitions,
                     "How many (default: the cluster's num.partitions)");
  create->add_option("--replication-factor", options->replication_factor,
                     "Replicas of each partition (default: the cluster's)");
  create->add_option("--assignment", options->assignment,
                     "Brokers of each partition instead: 1:2:3,2:3:1");
  create->add_option("--config", options->set, "A setting: key=value");
  create->add_flag("--if-not-exists", options->if_not_exists,
                   "Succeed when it is there already");
  create->add_flag("--validate-only", options->validate_only,
                   "Only check; create nothing");

  verb("list", "List all topics", List);

  auto* describe =
      verb("describe", "Show partitions, leaders and replicas", DescribeAll);
  describe->add_option("name", options->names, "Topics (default: all)");

  auto* remove = verb("delete", "Delete topics and their data", Delete);
  remove->add_option("name", options->names, "Topics")->required();
  remove->add_flag("--if-exists", options->if_exists,
                   "Succeed when it is not there");

  auto* alter = verb("alter", "Add partitions, change settings", Alter);
  alter->add_option("name", options->names, "Topic")->required()->expected(1);
  alter->add_option("--partitions", options->partitions,
                    "New total number of partitions");
  alter->add_option("--assignment", options->assignment,
                    "Brokers of each new partition: 1:2:3,2:3:1");
  alter->add_option("--set", options->set, "A setting: key=value");
  alter->add_option("--delete", options->remove,
                    "A setting to put back to its default");
  alter->add_flag("--validate-only", options->validate_only,
                  "Only check; change nothing");
  AddTrimCommand(*noun, context);
  AddReassignCommand(*noun, context);
}

}  // namespace tidemark::cli
