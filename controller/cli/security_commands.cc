#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/command.h"
#include "controller/cli/output.h"
#include "controller/cli/security_files.h"

namespace tidemark::cli {
namespace {

struct InitOptions {
  std::string folder;
  int brokers = 3, controllers = 3;
  NodeId first_broker = 1, first_controller = 101;
  std::vector<std::string> hosts;  // NAME, NODE=NAME
  int days = 365, authority_days = 3650;
};

struct RotateOptions {
  std::string folder;
  int days = 365, authority_days = 3650;
  bool add_authority = false, drop_authorities = false;
};

std::vector<NodeId> Ids(NodeId first, int count) {
  std::vector<NodeId> ids;
  for (int i = 0; i < count; ++i) ids.push_back(first + i);
  return ids;
}

Status Init(const Context& context, const InitOptions& options) {
  NewCluster cluster;
  cluster.brokers = Ids(options.first_broker, options.brokers);
  cluster.controllers = Ids(options.first_controller, options.controllers);
  cluster.days = options.days;
  cluster.authority_days = options.authority_days;
  for (const std::string& host : options.hosts) {
    const size_t split = host.find('=');
    if (split == std::string::npos) {
      cluster.hosts.push_back(host);
    } else {
      cluster.hosts_of[host.substr(0, split)].push_back(host.substr(split + 1));
    }
  }
  if (options.hosts.empty()) cluster.hosts = {"localhost", "127.0.0.1", "::1"};
  for (const auto& [name, hosts] : cluster.hosts_of) {
    const auto is_one_of = [&, name = name](const char* role,
                                            const std::vector<NodeId>& ids) {
      return std::ranges::any_of(ids, [&](NodeId id) {
        return name == role + ("-" + std::to_string(id));
      });
    };
    if (is_one_of("broker", cluster.brokers) ||
        is_one_of("controller", cluster.controllers)) {
      continue;
    }
    return Fail(ErrorCode::kInvalidRequest,
                "--host: there will be no node " + name);
  }
  TM_RETURN_IF_ERROR(MakeSecurity(options.folder, cluster));
  if (context.format == Format::kJson) {
    PrintJson({{"directory", options.folder},
               {"brokers", cluster.brokers},
               {"controllers", cluster.controllers}});
  } else {
    Print("made an authority, certificates of " +
          std::to_string(cluster.controllers.size()) + " controllers, " +
          std::to_string(cluster.brokers.size()) +
          " brokers and an administrator in " + options.folder);
    Print(
        "each node gets its folder, and the lines of security.properties in "
        "it; keep " +
        options.folder + "/ca to yourself");
  }
  return {};
}

Status Rotate(const Context& context, const RotateOptions& options) {
  if (options.add_authority) {
    TM_RETURN_IF_ERROR(AddAuthority(options.folder, options.authority_days));
    if (context.format == Format::kJson) {
      PrintJson({{"added_ca", true}});
    } else {
      Print(
          "a new authority is trusted besides the one before: once every "
          "node has its trust.pem, rotate");
    }
    return {};
  }
  if (options.drop_authorities) {
    TM_RETURN_IF_ERROR(DropOldAuthorities(options.folder));
    if (context.format == Format::kJson) {
      PrintJson({{"dropped_old_cas", true}});
    } else {
      Print(
          "only the newest authority is trusted, by whoever has the new "
          "trust.pem");
    }
    return {};
  }
  TM_ASSIGN_OR_RETURN(const auto renewed,
                      RenewCertificates(options.folder, options.days));
  if (context.format == Format::kJson) {
    PrintJson({{"renewed", renewed}});
  } else {
    std::string names;
    for (const std::string& name : renewed) names += " " + name;
    Print("renewed:" + names);
  }
  return {};
}

CLI::Option* AddDays(CLI::App* command, const char* name, int* days,
                     const char* what) {
  return command->add_option(name, *days, what)
      ->check(CLI::Range(1, 36500))
      ->capture_default_str();
}

}  // namespace

void AddSecurityCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "security", "Certificates of a cluster's nodes");
  auto init_options = std::make_shared<InitOptions>();
  auto* init = AddCommand(
      *noun, context, "init",
      "Make an authority, and certificates and settings of "
      "every node and an administrator",
      [&context, init_options] { return Init(context, *init_options); });
  init->add_option("DIR", init_options->folder, "A new folder")->required();
  init->add_option("--brokers", init_options->brokers, "How many")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  init->add_option("--controllers", init_options->controllers, "How many")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  init->add_option("--first-broker", init_options->first_broker,
                   "node.id of the first broker")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
  init->add_option("--first-controller", init_options->first_controller,
                   "node.id of the first controller")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
  init->add_option("--host", init_options->hosts,
                   "A name or address that others connect to: of one node, "
                   "broker-1=NAME, or of all; default: this machine's own "
                   "(127.0.0.1)");
  AddDays(init, "--days", &init_options->days, "How long certificates last");
  AddDays(init, "--ca-days", &init_options->authority_days,
          "How long the authority lasts");

  auto rotate_options = std::make_shared<RotateOptions>();
  auto* rotate = AddCommand(
      *noun, context, "rotate",
      "Renew the certificates of all nodes and the "
      "administrator",
      [&context, rotate_options] { return Rotate(context, *rotate_options); });
  rotate->add_option("DIR", rotate_options->folder, "Of security init")
      ->required();
  auto* add = rotate->add_flag(
      "--add-ca", rotate_options->add_authority,
      "Instead, make another authority, to be trusted besides");
  rotate
      ->add_flag("--drop-old-cas", rotate_options->drop_authorities,
                 "Instead, trust none but the newest authority")
      ->excludes(add);
  AddDays(rotate, "--days", &rotate_options->days,
          "How long certificates last");
  AddDays(rotate, "--ca-days", &rotate_options->authority_days,
          "How long a new authority lasts");
}

}  // namespace tidemark::cli
