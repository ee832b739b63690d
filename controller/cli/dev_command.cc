#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/command.h"
#include "controller/cli/dev_cluster.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

void SayReady(const DevAddresses& at, bool json) {
  if (json) {
    PrintJson({{"directory", at.directory},
               {"controllers", at.controllers},
               {"bootstrap_servers", at.bootstrap_servers}});
  } else {
    Print("data in " + at.directory +
          (at.temporary ? ", removed at the end (--dir keeps it)" : ""));
    Print("controllers: " + at.controllers);
    Print("bootstrap servers: " + at.bootstrap_servers);
  }
  // Whoever waits for it reads a pipe; an unwritten line is told at the end.
  (void)FlushOutput();
}

Status Dev(const Context& context, const DevOptions& options) {
  for (const std::string& setting : options.settings) {
    if (auto pair = SplitPair(setting); !pair) return Fail(pair.error());
  }
  return RunDevCluster(options, SayReady, context.format == Format::kJson);
}

}  // namespace

void AddDevCommand(CLI::App& app, Context& context) {
  auto options = std::make_shared<DevOptions>();
  auto* dev = AddCommand(
      app, context, "dev",
      "Run a controller and a broker here, for trying out and for tests",
      [&context, options] { return Dev(context, *options); });
  dev->add_option("--dir", options->directory,
                  "Where the data are and stay (default: a temporary "
                  "directory, removed at the end)");
  dev->add_option("--port", options->port,
                  "Port for Kafka clients; 0: one that is free")
      ->capture_default_str();
  dev->add_option("--controller-port", options->controller_port,
                  "Port of the controller's gRPC; 0: one that is free")
      ->capture_default_str();
  dev->add_option("--host", options->host, "IPv4 address to listen on")
      ->capture_default_str();
  dev->add_option("--topic", options->topics,
                  "A topic to begin with; may be repeated")
      ->type_name("NAME[:PARTITIONS]")
      ->allow_extra_args(false);
  dev->add_option("--set", options->settings,
                  "A setting of the controller and the broker; may be "
                  "repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  dev->add_flag("--verbose", options->verbose,
                "Show what both say, instead of keeping it in the directory");
}

}  // namespace tidemark::cli
