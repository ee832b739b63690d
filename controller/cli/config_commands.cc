#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ConfigOptions {
  std::string type, name;
  std::vector<std::string> entries;
  bool all = false, validate_only = false;
};

// Kafka's resource type codes.
constexpr std::pair<int32_t, const char*> kTypes[] = {
    {2, "topic"}, {4, "broker"}, {16, "client-metrics"}, {32, "group"}};

// A broker named "default" means all brokers.
admin::v1::Resource ResourceOf(const ConfigOptions& options) {
  admin::v1::Resource resource;
  const bool broker = options.type == "broker";
  for (const auto& [type, name] : kTypes) {
    if (options.type == name) resource.set_type(type);
  }
  resource.set_name(broker && options.name == "default" ? "" : options.name);
  return resource;
}

Status Get(const Context& context, const ConfigOptions& options) {
  admin::v1::DescribeConfigsRequest request;
  *request.add_resources() = ResourceOf(options);
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(auto response, client.Call(request));
  Json json = Json::object();
  Table table({"KEY", "VALUE", "SOURCE"});
  for (const auto& result : response.resources()) {
    TM_RETURN_IF_ERROR(CodeToStatus(
        result.code(), options.type + " " + options.name, result.message()));
    for (const auto& entry : result.entries()) {
      const auto& keys = options.entries;
      bool asked =
          std::find(keys.begin(), keys.end(), entry.key()) != keys.end();
      if (keys.empty() ? entry.is_default() && !options.all : !asked) continue;
      table.Add({entry.key(), entry.value(), entry.source()});
      json[entry.key()] = {{"value", entry.value()},
                           {"source", entry.source()},
                           {"is_default", entry.is_default()}};
    }
  }
  if (context.format == Format::kJson) {
    PrintJson(json);
  } else {
    Print(table);
  }
  return {};
}

const char* TypeName(int32_t type) {
  for (const auto& [known, name] : kTypes) {
    if (known == type) return name;
  }
  return "unknown";
}

Status List(const Context& context) {
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto response,
                      client.Call(admin::v1::ListConfigResourcesRequest()));
  Json json = Json::array();
  Table table({"TYPE", "NAME"});
  for (const auto& resource : response.resources()) {
    table.Add({TypeName(resource.type()), resource.name()});
    json.push_back(
        {{"type", TypeName(resource.type())}, {"name", resource.name()}});
  }
  if (context.format == Format::kJson) {
    PrintJson(json);
  } else {
    Print(table);
  }
  return {};
}

Status Alter(const Context& context, const ConfigOptions& options,
             bool remove) {
  admin::v1::AlterConfigsRequest request;
  request.set_validate_only(options.validate_only);
  auto* changes = request.add_resources();
  *changes->mutable_resource() = ResourceOf(options);
  for (const std::string& entry : options.entries) {
    auto* change = changes->add_changes();
    if (remove) {
      change->set_key(entry);
      change->set_op(admin::v1::DELETE);
      continue;
    }
    TM_ASSIGN_OR_RETURN(auto pair, SplitPair(entry));
    change->set_key(pair.first);
    change->set_value(pair.second);
  }
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(auto response, client.Call(request));
  for (const auto& result : response.resources()) {
    TM_RETURN_IF_ERROR(CodeToStatus(
        result.code(), options.type + " " + options.name, result.message()));
  }
  if (context.format == Format::kJson) {
    PrintJson(
        {{"type", options.type}, {"name", options.name}, {"altered", true}});
  } else {
    Print("altered " + options.type + " " + options.name);
  }
  return {};
}

}  // namespace

void AddConfigCommands(CLI::App& app, Context& context) {
  auto options = std::make_shared<ConfigOptions>();
  auto* noun = AddNoun(
      app, "config", "Settings of topics, brokers, groups and client metrics");
  AddCommand(*noun, context, "list", "List what has settings",
             [&context] { return List(context); });
  auto verb = [&](const char* name, const char* text,
                  std::function<Status()> run) {
    auto* command = AddCommand(*noun, context, name, text, std::move(run));
    command->add_option("type", options->type, "topic, broker or group")
        ->required()
        ->check(CLI::IsMember({"topic", "broker", "group", "client-metrics"}));
    command
        ->add_option("name", options->name,
                     "The topic or group, or the broker's id; broker "
                     "\"default\": all")
        ->required();
    return command;
  };
  auto* get = verb("get", "Show settings that differ from the default",
                   [&context, options] { return Get(context, *options); });
  get->add_option("key", options->entries, "Only these");
  get->add_flag("--all", options->all, "Those with their default too");
  auto* set = verb("set", "Change settings", [&context, options] {
    return Alter(context, *options, false);
  });
  set->add_option("setting", options->entries, "key=value")->required();
  auto* remove =
      verb("delete", "Put settings back to their default",
           [&context, options] { return Alter(context, *options, true); });
  remove->add_option("key", options->entries, "Settings")->required();
  for (auto* command : {set, remove}) {
    command->add_flag("--validate-only", options->validate_only,
                      "Only check; change nothing");
  }
}

}  // namespace tidemark::cli
