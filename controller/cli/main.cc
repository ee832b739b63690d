// `tidemark`: the command line of operators. Exit code 0: done; 1: the
// cluster or this machine said no, why is one line on stderr; 2: the command
// line makes no sense.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "controller/cli/command.h"
#include "controller/cli/output.h"

int main(int argc, char** argv) {
  using namespace tidemark;
  cli::Context context;
  auto app = cli::MakeApp(context);
  app->set_version_flag("--version", "tidemark " TIDEMARK_VERSION);
  Status done;
  try {
    app->parse(argc, argv);
    done = context.action();
  } catch (const CLI::ParseError& e) {
    if (app->exit(e) != 0) return 2;
  }
  Status written = cli::FlushOutput();
  if (done) done = written;
  if (done) return 0;
  std::fprintf(stderr, "tidemark: %s\n", ToString(done.error()).c_str());
  return 1;
}
