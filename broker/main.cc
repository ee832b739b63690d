#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "broker/metadata/broker_config.h"
#include "broker/server/broker.h"
#include "common/io/resources.h"

extern char** environ;

namespace tidemark {
namespace {

constexpr char kVersion[] = "tidemark-broker " TIDEMARK_VERSION;

// Ends the process as it is: threads of gRPC may still be at work, and what
// matters is on disk.
[[noreturn]] void Exit(int code) {
  std::cout.flush();
  google::FlushLogFiles(google::INFO);
  _exit(code);
}

[[noreturn]] void Die(const Error& error) {
  std::cerr << "tidemark-broker: " << error.message << std::endl;
  Exit(1);
}

Result<BrokerConfig> LoadConfig(Config::Sources sources) {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    sources.environment.emplace_back(*entry);
  }
  TM_ASSIGN_OR_RETURN(Config config, Config::Load(BrokerConfigKeys(), sources));
  for (const std::string& warning : config.warnings()) LOG(WARNING) << warning;
  return BrokerConfig::Parse(std::move(config));
}

// One of the signals has come, or comes within `pause`.
bool IsToldToStop(const sigset_t& signals, Duration pause) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(pause);
  timespec time{};
  time.tv_sec = seconds.count();
  time.tv_nsec =
      std::chrono::duration_cast<std::chrono::nanoseconds>(pause - seconds)
          .count();
  return sigtimedwait(&signals, nullptr, &time) > 0;
}

int Run(Config::Sources sources) {
  // Before any thread starts: all of them inherit the mask, and only the
  // sigwait below takes these signals.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  io::RaiseDescriptorLimit();
  auto config = LoadConfig(std::move(sources));
  if (!config) Die(config.error());
  LOG(INFO) << "starting broker=" << config->node_id
            << " version=" << TIDEMARK_VERSION << " shards=" << config->shards;
  bool told_to_stop = false;
  auto broker =
      server::Broker::Start(std::move(*config), Die, [&](Duration pause) {
        told_to_stop = IsToldToStop(stop_signals, pause);
        return !told_to_stop;
      });
  if (told_to_stop) {
    LOG(INFO) << "stopped before it had started";
    Exit(0);
  }
  if (!broker) Die(broker.error());

  int signal_number = 0;
  sigwait(&stop_signals, &signal_number);
  // A second signal ends the process without further ado.
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &stop_signals, nullptr);
  Status stopped = (*broker)->Shutdown();
  if (!stopped) {
    LOG(ERROR) << "not a clean shutdown error=\"" << ToString(stopped.error())
               << '"';
    Exit(1);
  }
  LOG(INFO) << "stopped";
  Exit(0);
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  CLI::App app("A tidemark broker: keeps the data and serves Kafka clients.");
  tidemark::Config::Sources sources;
  app.add_option("--config", sources.path, "server.properties")
      ->type_name("FILE");
  app.add_option("--override", sources.overrides,
                 "a setting that wins over the file")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.set_version_flag("--version", tidemark::kVersion);
  CLI11_PARSE(app, argc, argv);
  return tidemark::Run(std::move(sources));
}
