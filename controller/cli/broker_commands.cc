#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string StateOf(const admin::v1::Broker& broker) {
  if (broker.in_controlled_shutdown()) return "shutting-down";
  return broker.fenced() ? "fenced" : "running";
}

Json ToJson(const admin::v1::Broker& broker) {
  Json offline = Json::array();
  for (const auto& directory : broker.offline_directories()) {
    offline.push_back(
        {{"path", directory.path()}, {"reason", directory.reason()}});
  }
  return {{"id", broker.id()},
          {"host", broker.host()},
          {"port", broker.port()},
          {"rack", broker.rack()},
          {"state", StateOf(broker)},
          {"epoch", broker.epoch()},
          {"leaders", broker.leaders()},
          {"replicas", broker.replicas()},
          {"offline_directories", offline}};
}

// Under the table: where to look, and why.
void PrintOffline(const admin::v1::Broker& broker) {
  for (const auto& directory : broker.offline_directories()) {
    Print("broker " + std::to_string(broker.id()) + ": log directory " +
          directory.path() + " is offline: " + directory.reason());
  }
}

// All brokers, or the one that is asked for.
Status Show(const Context& context, std::optional<int32_t> only) {
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(auto cluster,
                      client.Call(admin::v1::DescribeClusterRequest()));
  std::vector<admin::v1::Broker> brokers;
  for (const auto& broker : cluster.brokers()) {
    if (!only || broker.id() == *only) brokers.push_back(broker);
  }
  if (only && brokers.empty()) {
    return Fail(ErrorCode::kBrokerIdNotRegistered,
                "no broker has the id " + std::to_string(*only) +
                    "; see tidemark broker list");
  }
  std::sort(brokers.begin(), brokers.end(),
            [](const auto& a, const auto& b) { return a.id() < b.id(); });
  Json json = Json::array();
  Table table(
      {"ID", "ADDRESS", "RACK", "STATE", "EPOCH", "LEADERS", "REPLICAS"});
  for (const auto& broker : brokers) {
    json.push_back(ToJson(broker));
    table.Add({std::to_string(broker.id()),
               broker.host() + ":" + std::to_string(broker.port()),
               broker.rack().empty() ? "-" : broker.rack(), StateOf(broker),
               std::to_string(broker.epoch()), std::to_string(broker.leaders()),
               std::to_string(broker.replicas())});
  }
  if (context.format == Format::kTable) {
    Print(table);
    for (const auto& broker : brokers) PrintOffline(broker);
  } else {
    PrintJson(only ? json[0] : json);
  }
  return {};
}

Status Unregister(const Context& context, int32_t id) {
  AdminClient client(context);
  admin::v1::UnregisterBrokerRequest request;
  request.set_broker_id(id);
  TM_RETURN_IF_ERROR(client.Call(request));
  if (context.format == Format::kJson) {
    PrintJson({{"unregistered", id}});
  } else {
    Print("unregistered broker " + std::to_string(id));
  }
  return {};
}

}  // namespace

void AddBrokerCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "broker", "The brokers");
  AddCommand(*noun, context, "list", "List all brokers",
             [&context] { return Show(context, std::nullopt); });
  auto id = std::make_shared<int32_t>();
  AddCommand(*noun, context, "describe", "Show one broker",
             [&context, id] { return Show(context, *id); })
      ->add_option("id", *id, "The broker's node.id")
      ->required();
  auto gone = std::make_shared<int32_t>();
  AddCommand(*noun, context, "unregister",
             "Forget a broker that will not come back",
             [&context, gone] { return Unregister(context, *gone); })
      ->add_option("id", *gone, "The broker's node.id")
      ->required();
}

}  // namespace tidemark::cli
