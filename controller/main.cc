// The controller process: reads its configuration, builds the parts, and
// waits for a signal.

#include <glog/logging.h>
#include <grpcpp/impl/service_type.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <future>
#include <iostream>
#include <random>

#include "common/base/config.h"
#include "common/io/event_loop.h"
#include "common/io/initial_credentials.h"
#include "common/io/initial_features.h"
#include "common/metadata/configs.h"
#include "common/metadata/features.h"
#include "common/rpc/systemd.h"
#include "common/tls/reload.h"
#include "controller/console/controller_config.h"
#include "controller/console/http_server.h"
#include "controller/console/wait_for_room.h"
#include "controller/quorum/raft_quorum.h"
#include "controller/service/admin_service.h"
#include "controller/service/backup_service.h"
#include "controller/service/broker_service.h"
#include "controller/service/go_back.h"
#include "controller/service/grpc_server.h"
#include "controller/service/joiner.h"

extern char** environ;

namespace tidemark::controller {
namespace {

constexpr char kUsage[] =
    "usage: tidemark-controller --config FILE [--override KEY=VALUE]...\n"
    "       [--restore FILE [--cluster-id ID] | --recover]\n"
    "\n"
    "Runs a tidemark controller until SIGTERM or SIGINT.\n"
    "\n"
    "  --config FILE          server.properties\n"
    "  --override KEY=VALUE   set one key, over the file and the environment\n"
    "                         (TIDEMARK_NODE_ID=1 is node.id=1)\n"
    "  --restore FILE         format the directory with a backup of the\n"
    "                         metadata, and end: tidemark quorum restore\n"
    "  --recover              make this controller the only voter, and end:\n"
    "                         tidemark quorum recover\n"
    "  --help                 this text, and every key\n"
    "  --version              the version\n";
constexpr char kVersion[] = "tidemark-controller 0.1.0\n";
constexpr unsigned kStopSeconds = 3;
constexpr Duration kHandOver = std::chrono::milliseconds(800);

void PrintHelp() {
  std::cout << kUsage << "\nkeys:\n";
  for (const ConfigKey& key : ControllerConfigKeys()) {
    std::cout << "  " << key.name;
    if (!key.default_value.empty()) std::cout << " = " << key.default_value;
    std::cout << "\n      " << key.documentation << "\n";
  }
}

struct Arguments {
  Config::Sources sources;
  std::string restore, cluster_id;
  bool recover = false;
};

// Why they do not go together; "": they do.
std::string Contradiction(const Arguments& arguments) {
  if (arguments.recover && !arguments.restore.empty())
    return "--restore and --recover exclude each other";
  if (!arguments.cluster_id.empty() && arguments.restore.empty())
    return "--cluster-id goes with --restore only; a controller's cluster is "
           "that of its directory";
  return "";
}

// nullopt: the process is done, with `*exit_code`.
std::optional<Arguments> ParseArguments(int argc, char** argv, int* exit_code) {
  Arguments arguments;
  Config::Sources& out = arguments.sources;
  *exit_code = 0;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      PrintHelp();
      return std::nullopt;
    }
    if (argument == "--version") {
      std::cout << kVersion;
      return std::nullopt;
    }
    if (argument == "--recover") {
      arguments.recover = true;
      continue;
    }
    std::string value;
    size_t split = argument.find('=');
    if (argument.starts_with("--config=")) {
      value = argument.substr(split + 1);
      argument = "--config";
    } else if (argument.starts_with("--override=")) {
      value = argument.substr(split + 1);
      argument = "--override";
    } else if (i + 1 < argc) {
      value = argv[++i];
    }
    if (argument == "--config" && !value.empty()) {
      out.path = value;
    } else if (argument == "--override" && !value.empty()) {
      out.overrides.push_back(value);
    } else if (argument == "--restore" && !value.empty()) {
      arguments.restore = value;
    } else if (argument == "--cluster-id" && !value.empty()) {
      arguments.cluster_id = value;
    } else {
      std::cerr << "tidemark-controller: cannot understand '" << argument
                << "'; see --help\n";
      *exit_code = 1;
      return std::nullopt;
    }
  }
  if (const std::string why = Contradiction(arguments); !why.empty()) {
    std::cerr << "tidemark-controller: " << why << "; see --help\n";
    *exit_code = 1;
    return std::nullopt;
  }
  for (char** variable = environ; *variable != nullptr; ++variable) {
    out.environment.emplace_back(*variable);
  }
  return arguments;
}

Randomness DeviceRandomness() {
  auto engine = std::make_shared<std::mt19937_64>(std::random_device{}());
  return {[] { return Uuid::Random(); },
          [engine](size_t bound) {
            return std::uniform_int_distribution<size_t>(0, bound - 1)(*engine);
          }};
}

quorum::Options QuorumOptions(const ControllerConfig& config,
                              rpc::SecurityPtr security) {
  quorum::Options out;
  out.security = std::move(security);
  out.self = config.node_id;
  out.directory = config.data_directory;
  out.cluster_id = config.options.settings.cluster_id;
  out.voters = config.voters;
  out.host = config.advertised_host;
  out.port = config.advertised_port;
  out.features = metadata::SupportedFeatures();
  out.tick_ms = config.tick_ms;
  out.election_ticks_min = config.election_ticks_min;
  out.election_ticks_max = config.election_ticks_max;
  out.disk_timeout_ms = config.disk_timeout_ms;
  // Two may get lost before somebody asks for votes.
  out.heartbeat_ticks = std::clamp(config.election_ticks_min / 3, 1u, 2u);
  return out;
}

Joiner::Options JoinerOptions(const ControllerConfig& config,
                              const io::MetaProperties& meta,
                              rpc::SecurityPtr security) {
  return {.servers = config.bootstrap_servers,
          .self = {.id = config.node_id,
                   .directory = meta.directory_id,
                   .host = config.advertised_host,
                   .port = config.advertised_port},
          .votes = config.auto_join,
          .features = metadata::SupportedFeatures(),
          .security = std::move(security)};
}

// nullptr: plaintext.
Result<rpc::SecurityPtr> OpenSecurity(const ControllerConfig& config) {
  if (!config.tls) return rpc::SecurityPtr();
  TM_ASSIGN_OR_RETURN(
      auto security,
      rpc::Security::Open(*config.tls, config.certificate_roles));
  // Others would refuse it, each with a line of its own.
  const tls::Holder self =
      config.certificate_roles.HolderOf(security->material()->chain);
  if (!self.Is(tls::Role::kController, config.node_id))
    return Fail(ErrorCode::kInvalidConfig,
                "ssl.keystore: the certificate is of " + self.Describe() +
                    ", not of controller " + std::to_string(config.node_id) +
                    " (docs/security.md)");
  return security;
}

// With what levels its formatting would have a new cluster begin.
Result<BootstrapLevels> LoadBootstrapLevels(const std::string& directory) {
  TM_ASSIGN_OR_RETURN(auto levels, io::LoadInitialFeatures(directory));
  for (const auto& [name, level] : levels) {
    const metadata::Feature* feature = metadata::FindFeature(name);
    if (feature != nullptr && feature->supported.Contains(level)) continue;
    return Fail(ErrorCode::kInvalidConfig,
                directory + " was formatted for " + name + " " +
                    std::to_string(level) + ", and this release supports " +
                    (feature == nullptr
                         ? "none of it"
                         : std::to_string(feature->supported.min) + " to " +
                               std::to_string(feature->supported.max)));
  }
  return levels;
}

// With whom its formatting would have a new cluster begin.
Status LoadBootstrapCredentials(const std::string& directory,
                                ControllerOptions* out) {
  TM_ASSIGN_OR_RETURN(const auto all, io::LoadInitialCredentials(directory));
  for (const io::InitialCredential& from : all) {
    record_v1::SetScramCredential& to =
        out->bootstrap_credentials.emplace_back();
    to.set_user(from.user);
    to.set_mechanism(from.mechanism == NameOf(metadata::ScramMechanism::kSha256)
                         ? record_v1::SCRAM_SHA_256
                         : record_v1::SCRAM_SHA_512);
    to.set_iterations(from.iterations);
    to.set_salt(from.salt);
    to.set_stored_key(from.stored_key);
    to.set_server_key(from.server_key);
    TM_RETURN_IF_ERROR(metadata::ScramImage().Apply(to));
  }
  return {};
}

// Blocked in every thread, so that Run can wait for them.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Everything that must outlive a stop is on disk already: a call that does
// not end must not keep the process.
void LimitStop() {
  signal(SIGALRM, [](int) { _exit(0); });
  alarm(kStopSeconds);
}

// The other controllers go on without waiting to notice the end of this one.
void HandOver(quorum::RaftQuorum* quorum, Executor* loop) {
  auto done = std::make_shared<std::promise<void>>();
  loop->Post(
      [=] { quorum->HandOver(kHandOver, [done] { done->set_value(); }); });
  done->get_future().wait();
}

Status Run(ControllerConfig config, const sigset_t& signals) {
  // The cluster id is the directory's; the quorum checks the rest of it.
  TM_ASSIGN_OR_RETURN(auto meta,
                      io::LoadMetaProperties(config.data_directory,
                                             config.options.settings.cluster_id,
                                             config.node_id));
  config.options.settings.cluster_id = meta.cluster_id;
  TM_ASSIGN_OR_RETURN(
      const bool room, WaitForRoom(config, [&](Duration pause) {
        timespec time{};
        time.tv_nsec =
            std::chrono::duration_cast<std::chrono::nanoseconds>(pause).count();
        return sigtimedwait(&signals, nullptr, &time) < 0;
      }));
  if (!room) return {};
  TM_ASSIGN_OR_RETURN(config.options.bootstrap_levels,
                      LoadBootstrapLevels(config.data_directory));
  TM_RETURN_IF_ERROR(
      LoadBootstrapCredentials(config.data_directory, &config.options));
  TM_ASSIGN_OR_RETURN(const rpc::SecurityPtr security, OpenSecurity(config));
  io::EventLoop loop("controller");
  io::EventLoop background("feed-snapshots");
  Controller controller(config.options, &loop, DeviceRandomness(), &background);
  TM_ASSIGN_OR_RETURN(auto quorum,
                      quorum::RaftQuorum::Open(QuorumOptions(config, security),
                                               loop, controller));
  controller.Attach(quorum.get());
  auto brokers = MakeBrokerService(&controller, &loop, security);
  auto admin = MakeAdminService(&controller, &loop, security);
  auto backups =
      MakeBackupService(&controller, meta.cluster_id, &loop, security);
  auto server = GrpcServer::Start(
      config.listen_host, config.listen_port,
      {&quorum->service(), brokers.get(), admin.get(), backups.get()},
      security.get());
  rpc::ReloadForever(security, "controllers", &background);
  Status started;
  std::unique_ptr<rpc::HttpEndpoint> http;
  if (!server) {
    started = Fail(server.error());
  } else if (config.http) {
    auto endpoint = StartHttpServer(*config.http, &controller, &loop);
    if (endpoint) {
      http = std::move(*endpoint);
      tls::ReloadForever("http", http->tls(), &background);
    } else {
      started = Fail(endpoint.error());
    }
  }
  if (started) {
    loop.Post([&] { quorum->Start(); });
    Joiner joiner(JoinerOptions(config, quorum->meta(), security), quorum.get(),
                  &loop);
    // As /readyz.
    (*server)->ServeWhile(
        &loop, [quorum = quorum.get()] { return quorum->leader() != kNoNode; });
    LOG(INFO) << "controller: started node=" << config.node_id
              << " cluster=" << meta.cluster_id
              << " grpc=" << config.listen_host << ":" << (*server)->port()
              << " http="
              << (http == nullptr
                      ? "none"
                      : config.http->host + ":" + std::to_string(http->port()));
    rpc::NotifyServiceManager("READY=1");
    int signal_number = 0;
    sigwait(&signals, &signal_number);
    LOG(INFO) << "controller: stopping on signal=" << signal_number;
    rpc::NotifyServiceManager("STOPPING=1");
    LimitStop();
    HandOver(quorum.get(), &loop);
  }
  LimitStop();
  http.reset();
  loop.Post([&] { controller.Stop(); });
  quorum->EndStreams();
  if (server) server->reset();
  loop.Stop();
  quorum.reset();
  return started;
}

// Offline: then the process is done.
Status GoBack(const ControllerConfig& config, const Arguments& arguments) {
  const SoleVoter self{config.data_directory, config.node_id,
                       config.advertised_host, config.advertised_port};
  TM_ASSIGN_OR_RETURN(const NewBeginning begun,
                      arguments.recover ? RecoverAlone(self)
                                        : RestoreBackup(self, arguments.restore,
                                                        arguments.cluster_id));
  std::cout << "controller " << self.id << " in " << self.directory
            << " is the only voter of cluster " << begun.cluster_id << " now\n";
  if (!begun.members.empty())
    std::cout << "voters before: " << begun.members << "\n";
  std::cout
      << "metadata: " << begun.topics << " topics, " << begun.brokers
      << " brokers, up to offset " << begun.from << "\n"
      << "what was committed later is lost; offsets go on from " << begun.offset
      << ", epochs from " << begun.term << "\n"
      << "brokers keep the logs of what these metadata do not know, until "
      << metadata::kRemoveUnknownLogs << " is deleted again\n"
      << "never start the other controllers again with their old "
         "directories\n";
  return {};
}

int Main(int argc, char** argv) {
  // gRPC's own lines say nothing that ours do not.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  FLAGS_logtostderr = true;
  google::InitGoogleLogging(argv[0]);
  int exit_code = 0;
  auto arguments = ParseArguments(argc, argv, &exit_code);
  if (!arguments) return exit_code;
  auto fail = [](const Error& error) {
    std::cerr << "tidemark-controller: " << error.message << "\n";
    return 1;
  };
  auto settings = Config::Load(ControllerConfigKeys(), arguments->sources);
  if (!settings) return fail(settings.error());
  for (const std::string& warning : settings->warnings()) {
    LOG(WARNING) << warning;
  }
  auto config = MakeControllerConfig(*settings);
  if (!config) return fail(config.error());
  if (arguments->recover || !arguments->restore.empty()) {
    Status done = GoBack(*config, *arguments);
    return done ? 0 : fail(done.error());
  }
  sigset_t signals = BlockSignals();
  Status status = Run(std::move(*config), signals);
  return status ? 0 : fail(status.error());
}

}  // namespace
}  // namespace tidemark::controller

int main(int argc, char** argv) {
  return tidemark::controller::Main(argc, argv);
}
