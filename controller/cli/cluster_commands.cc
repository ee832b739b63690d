#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

Status Info(const Context& context) {
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(auto cluster,
                      client.Call(admin::v1::DescribeClusterRequest()));
  int fenced = 0;
  for (const auto& broker : cluster.brokers()) fenced += broker.fenced();
  if (context.format == Format::kJson) {
    PrintJson({{"cluster_id", cluster.cluster_id()},
               {"active_controller", cluster.active_controller()},
               {"brokers", cluster.brokers_size()},
               {"fenced_brokers", fenced},
               {"topics", cluster.topics()},
               {"partitions", cluster.partitions()},
               {"offline_partitions", cluster.offline_partitions()},
               {"under_replicated_partitions",
                cluster.under_replicated_partitions()}});
    return {};
  }
  Print("cluster id                   " + cluster.cluster_id());
  Print("active controller            " +
        std::to_string(cluster.active_controller()));
  Print("brokers                      " +
        std::to_string(cluster.brokers_size()) + " (" + std::to_string(fenced) +
        " fenced)");
  Print("topics                       " + std::to_string(cluster.topics()));
  Print("partitions                   " + std::to_string(cluster.partitions()));
  Print("offline partitions           " +
        std::to_string(cluster.offline_partitions()));
  Print("under-replicated partitions  " +
        std::to_string(cluster.under_replicated_partitions()));
  return {};
}

}  // namespace

void AddClusterCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "cluster", "The cluster as a whole");
  AddCommand(*noun, context, "info", "Show its id, size and health",
             [&context] { return Info(context); });
}

}  // namespace tidemark::cli
