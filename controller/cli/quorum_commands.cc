#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

Status ShowQuorum(const Context& context) {
  AdminClient client(context.controllers, context.timeout_ms);
  TM_ASSIGN_OR_RETURN(auto quorum,
                      client.Call(admin::v1::DescribeQuorumRequest()));
  Json voters = Json::array();
  Table table({"ID", "ADDRESS", "ROLE", "MATCH", "ACTIVE"});
  for (const auto& voter : quorum.voters()) {
    bool leads = voter.id() == quorum.leader();
    voters.push_back({{"id", voter.id()},
                      {"host", voter.host()},
                      {"port", voter.port()},
                      {"match_offset", voter.match_offset()},
                      {"active", voter.active()}});
    table.Add({std::to_string(voter.id()),
               voter.host() + ":" + std::to_string(voter.port()),
               leads ? "leader" : "follower",
               std::to_string(voter.match_offset()),
               voter.active() ? "yes" : "no"});
  }
  if (context.format == Format::kJson) {
    PrintJson({{"leader", quorum.leader()},
               {"epoch", quorum.epoch()},
               {"committed_offset", quorum.committed_offset()},
               {"snapshot_offset", quorum.snapshot_offset()},
               {"voters", voters}});
    return {};
  }
  Print("leader " + std::to_string(quorum.leader()) + "  epoch " +
        std::to_string(quorum.epoch()) + "  committed offset " +
        std::to_string(quorum.committed_offset()) + "  snapshot offset " +
        std::to_string(quorum.snapshot_offset()));
  Print(table);
  return {};
}

}  // namespace

void AddQuorumCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "quorum", "The controllers");
  AddCommand(*noun, context, "status",
             "Show who leads and how far each controller is",
             [&context] { return ShowQuorum(context); });
}

}  // namespace tidemark::cli
