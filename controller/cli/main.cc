// `tidemark`: the command line of operators. Exit code 0: done; 1: the
// cluster or this machine said no, why is one line on stderr; 2: the command
// line makes no sense.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "controller/cli/command.h"

int main(int argc, char** argv) {
  using namespace tidemark;
  CLI::App app("tidemark: administer a cluster, send and read records",
               "tidemark");
  app.require_subcommand(1);
  app.set_version_flag("--version", "tidemark " TIDEMARK_VERSION);
  cli::Context context;
  cli::AddStorageCommands(app, context);
  cli::AddTopicCommands(app, context);
  cli::AddClusterCommands(app, context);
  cli::AddBrokerCommands(app, context);
  cli::AddQuorumCommands(app, context);
  cli::AddConfigCommands(app, context);
  cli::AddGroupCommands(app, context);
  cli::AddProduceCommand(app, context);
  cli::AddConsumeCommand(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  Status done = context.action();
  if (done) return 0;
  std::fprintf(stderr, "tidemark: %s\n", ToString(done.error()).c_str());
  return 1;
}
