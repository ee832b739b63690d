#include "controller/cli/dev_cluster.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iostream>
#include <random>

#include "common/base/uuid.h"
#include "common/io/initial_features.h"
#include "common/io/initial_voters.h"
#include "common/io/meta_properties.h"
#include "common/metadata/features.h"
#include "controller/cli/admin_client.h"
#include "controller/cli/child_process.h"
#include "controller/cli/command.h"
#include "controller/cli/dev_directory.h"

extern char** environ;

namespace tidemark::cli {
namespace {

using std::chrono::milliseconds;
using Time = std::chrono::steady_clock;

constexpr NodeId kController = 101, kBroker = 1;
constexpr auto kTopics = std::chrono::seconds(10);
// Between two looks at what else happens.
constexpr int64_t kTopicsTryMs = 500;
// A process that has not stopped by then is killed: nothing is lost.
constexpr auto kStop = std::chrono::seconds(15);
constexpr size_t kLastLines = 5;

tl::unexpected<Error> SystemError(const std::string& what) {
  return Fail(ErrorCode::kUnknownServerError,
              "cannot " + what + ": " + std::strerror(errno));
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// A port that nobody else gets, until the child that is to have it listens:
// bound by this process, which does not listen, both with SO_REUSEADDR.
struct HeldPort {
  Descriptor socket;
  uint16_t port = 0;
};

Result<HeldPort> Hold(const std::string& host, uint16_t port) {
  HeldPort held{Descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                port};
  const int on = 1;
  setsockopt(held.socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1)
    return Fail(ErrorCode::kInvalidRequest,
                "--host wants an IPv4 address, not '" + host + "'");
  if (bind(held.socket.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof address) != 0)
    return SystemError("listen on " + host + ":" + std::to_string(port));
  return held;
}

// The named port; for 0 one below those that outgoing connections get, so that
// none has it when the process behind it starts again.
Result<HeldPort> HoldPort(const std::string& host, uint16_t wanted) {
  if (wanted != 0) return Hold(host, wanted);
  constexpr int kTries = 200;
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> ports(16384, 32767);
  Result<HeldPort> held = Hold(host, static_cast<uint16_t>(ports(random)));
  for (int i = 0; i < kTries && !held; ++i)
    held = Hold(host, static_cast<uint16_t>(ports(random)));
  return held;
}

// The socket on which a child says that it is ready (sd_notify's protocol).
struct Notices {
  Descriptor socket;
  std::string name;
};

Result<Notices> Listen() {
  Notices out{Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
              "@tidemark-dev-" + ToString(Uuid::Random())};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, out.name.data(), out.name.size());
  address.sun_path[0] = '\0';
  const auto length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + out.name.size());
  if (bind(out.socket.get(), reinterpret_cast<const sockaddr*>(&address),
           length) != 0)
    return SystemError("hear of the broker");
  return out;
}

std::string Address(const std::string& host, uint16_t port) {
  return host + ":" + std::to_string(port);
}

// A controller that is a quorum by itself. Again: as it was.
Result<io::MetaProperties> FormatController(const std::string& directory,
                                            const std::string& host,
                                            uint16_t port) {
  if (io::IsMarked(directory, io::kMetaPropertiesFile))
    return io::LoadMetaProperties(directory);
  const Uuid id = Uuid::Random();
  return io::FormatDirectory(directory, ToString(Uuid::Random()), kController,
                             io::Use::kMetadata, id, [&]() -> Status {
                               TM_RETURN_IF_ERROR(io::SaveInitialFeatures(
                                   directory, metadata::InitialLevels()));
                               return io::SaveInitialVoters(
                                   directory, {{kController, host, port, id}});
                             });
}

Status FormatBroker(const std::string& directory,
                    const std::string& cluster_id) {
  if (io::IsMarked(directory, io::kMetaPropertiesFile)) return {};
  auto formatted =
      io::FormatDirectory(directory, cluster_id, kBroker, io::Use::kLogs);
  if (!formatted) return Fail(formatted.error());
  return {};
}

// Settings of this process's own environment are not those of the children.
std::vector<std::string> Environment(const std::string& notices) {
  std::vector<std::string> out;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (!text.starts_with("TIDEMARK_") && !text.starts_with("NOTIFY_SOCKET="))
      out.emplace_back(text);
  }
  if (!notices.empty()) out.push_back("NOTIFY_SOCKET=" + notices);
  return out;
}

// What a person has said comes last, and wins.
std::vector<std::string> Arguments(std::vector<std::string> settings,
                                   const std::vector<std::string>& own) {
  settings.insert(settings.end(), own.begin(), own.end());
  std::vector<std::string> out;
  for (std::string& setting : settings) {
    out.push_back("--override");
    out.push_back(std::move(setting));
  }
  return out;
}

// Nothing here is protected, wherever --host has it listen.
constexpr char kPlaintext[] =
    "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT";

std::vector<std::string> ControllerSettings(const std::string& directory,
                                            const std::string& address) {
  return {"node.id=" + std::to_string(kController),
          "log.dirs=" + directory,
          "listeners=CONTROLLER://" + address,
          kPlaintext,
          "controller.quorum.bootstrap.servers=" + address,
          "http.port=-1"};
}

// One broker: one replica of everything. Small files, and groups that begin at
// once.
std::vector<std::string> BrokerSettings(const std::string& directory,
                                        const std::string& address,
                                        const std::string& controller) {
  return {"node.id=" + std::to_string(kBroker),
          "log.dirs=" + directory,
          "listeners=PLAINTEXT://" + address,
          "advertised.listeners=PLAINTEXT://" + address,
          kPlaintext,
          "controller.quorum.bootstrap.servers=" + controller,
          "http.port=-1",
          "offsets.topic.replication.factor=1",
          "transaction.state.log.replication.factor=1",
          "transaction.state.log.min.isr=1",
          "offsets.topic.num.partitions=4",
          "group.initial.rebalance.delay.ms=0",
          "controlled.shutdown.enable=false",
          "tidemark.log.journal.file.bytes=1048576",
          "tidemark.batch.cache.bytes=2097152"};
}

std::string LastLines(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (lines.size() == kLastLines) lines.erase(lines.begin());
    lines.push_back(line);
  }
  std::string out;
  for (const std::string& line : lines) out += "\n  " + line;
  return out;
}

bool Says(const std::string& log, const std::string& text) {
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

// A setting that neither has taken is most likely a slip.
void TellOfUnknown(const std::vector<std::string>& settings,
                   const std::string& directory) {
  for (const std::string& setting : settings) {
    const std::string text =
        "unknown configuration '" + setting.substr(0, setting.find('=')) + "'";
    if (Says(directory + "/controller.log", text) &&
        Says(directory + "/broker.log", text))
      std::cerr << "tidemark: " << text << " has no effect\n";
  }
}

Result<admin::v1::CreateTopicsRequest> TopicsOf(
    const std::vector<std::string>& topics) {
  admin::v1::CreateTopicsRequest request;
  for (const std::string& text : topics) {
    const size_t colon = text.rfind(':');
    auto* topic = request.add_topics();
    topic->set_name(text.substr(0, colon));
    int32_t partitions = 1;
    if (colon != std::string::npos) {
      const char* const end = text.data() + text.size();
      const auto [stop, error] =
          std::from_chars(text.data() + colon + 1, end, partitions);
      if (error != std::errc() || stop != end || partitions < 1)
        return Fail(
            ErrorCode::kInvalidRequest,
            "--topic wants NAME or NAME:PARTITIONS, not '" + text + "'");
    }
    topic->set_partitions(partitions);
    topic->set_replication_factor(1);
  }
  return request;
}

// The signals that this process waits for, in every thread.
Result<Descriptor> BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&signals, number);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  Descriptor out(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (out.get() < 0) return SystemError("wait for signals");
  return out;
}

// Both processes, and what is heard of them.
class Cluster {
 public:
  struct Member {
    const char* name;
    std::string log;
    ChildProcess process;
  };

  Cluster(Member controller, Member broker, Descriptor signals, Notices notices)
      : members_{std::move(broker), std::move(controller)},
        signals_(std::move(signals)),
        notices_(std::move(notices)) {}

  // Until the broker is ready; false: until somebody wants an end.
  Result<bool> WaitForReady() {
    while (!ready_ && !told_to_stop_) TM_RETURN_IF_ERROR(Wait(-1));
    return ready_ && !told_to_stop_;
  }
  // At once; false: somebody wants an end.
  Result<bool> GoesOn() {
    TM_RETURN_IF_ERROR(Wait(0));
    return !told_to_stop_;
  }
  Status WaitForEnd() {
    while (!told_to_stop_) TM_RETURN_IF_ERROR(Wait(-1));
    return {};
  }
  // The broker first, which still needs the controller. Whoever is in a hurry
  // says so twice.
  void Stop() {
    stopping_ = true;
    told_to_stop_ = false;
    const auto end = Time::now() + kStop;
    for (Member& member : members_) {
      member.process.Signal(SIGTERM);
      while (!member.process.Ended() && !told_to_stop_ && Time::now() < end)
        (void)Wait(100);
      if (!member.process.Ended()) member.process.Signal(SIGKILL);
    }
  }

 private:
  // For something to happen. Fails when a process has ended that should not.
  Status Wait(int ms) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0},
                    {notices_.socket.get(), POLLIN, 0}};
    poll(fds, 2, ms);
    signalfd_siginfo info{};
    while (read(signals_.get(), &info, sizeof info) == sizeof info)
      told_to_stop_ |= info.ssi_signo != SIGCHLD;
    char text[64];
    const ssize_t size =
        recv(notices_.socket.get(), text, sizeof text, MSG_DONTWAIT);
    if (size > 0 &&
        std::string_view(text, static_cast<size_t>(size)) == "READY=1")
      ready_ = true;
    if (stopping_) return {};
    for (Member& member : members_) {
      const auto how = member.process.Ended();
      if (how)
        return Fail(ErrorCode::kUnknownServerError,
                    std::string("the ") + member.name + " has ended (" + *how +
                        ")" + LastLines(member.log));
    }
    return {};
  }

  Member members_[2];  // in the order of their end
  Descriptor signals_;
  Notices notices_;
  bool ready_ = false, told_to_stop_ = false, stopping_ = false;
};

Result<Cluster::Member> Start(const char* name, std::string program,
                              std::vector<std::string> arguments,
                              const std::string& notices, std::string log,
                              bool verbose) {
  TM_ASSIGN_OR_RETURN(
      auto process,
      ChildProcess::Start({std::move(program), std::move(arguments),
                           Environment(notices), verbose ? "" : log}));
  return Cluster::Member{name, std::move(log), std::move(process)};
}

// Those of an earlier run, or try, are there already. False: somebody wants an
// end first.
Result<bool> CreateTopics(const admin::v1::CreateTopicsRequest& request,
                          const std::string& controller, Cluster* cluster) {
  if (request.topics().empty()) return true;
  const auto end = Time::now() + kTopics;
  // Of this machine, in plaintext.
  AdminClient client(controller, kTopicsTryMs, {});
  auto response = client.Call(request);
  while (!response) {
    TM_ASSIGN_OR_RETURN(const bool goes_on, cluster->GoesOn());
    if (!goes_on) return false;
    if (response.error().code != ErrorCode::kRequestTimedOut ||
        Time::now() >= end)
      return Fail(response.error());
    response = client.Call(request);
  }
  for (const auto& topic : response->topics()) {
    if (static_cast<ErrorCode>(topic.code()) == ErrorCode::kTopicAlreadyExists)
      continue;
    TM_RETURN_IF_ERROR(
        CodeToStatus(topic.code(), topic.name(), topic.message()));
  }
  return true;
}

}  // namespace

Status RunDevCluster(const DevOptions& options,
                     void (*ready)(const DevAddresses& at, bool json),
                     bool json) {
  TM_ASSIGN_OR_RETURN(const auto topics, TopicsOf(options.topics));
  TM_ASSIGN_OR_RETURN(const auto controller_program,
                      ProgramBeside("tidemark-controller"));
  TM_ASSIGN_OR_RETURN(const auto broker_program,
                      ProgramBeside("tidemark-broker"));
  TM_ASSIGN_OR_RETURN(Descriptor signals, BlockSignals());
  TM_ASSIGN_OR_RETURN(Notices notices, Listen());
  TM_ASSIGN_OR_RETURN(HeldPort kafka, HoldPort(options.host, options.port));
  TM_ASSIGN_OR_RETURN(HeldPort grpc,
                      HoldPort(options.host, options.controller_port));
  TM_ASSIGN_OR_RETURN(DevDirectory directory,
                      DevDirectory::Make(options.directory));

  DevAddresses at{Address(options.host, kafka.port),
                  Address(options.host, grpc.port), directory.path(),
                  directory.temporary()};
  const std::string metadata = directory.path() + "/controller";
  const std::string logs = directory.path() + "/broker";
  TM_ASSIGN_OR_RETURN(const auto owner,
                      FormatController(metadata, options.host, grpc.port));
  TM_ASSIGN_OR_RETURN(
      auto controller,
      Start("controller", controller_program,
            Arguments(ControllerSettings(metadata, at.controllers),
                      options.settings),
            "", directory.path() + "/controller.log", options.verbose));
  TM_RETURN_IF_ERROR(FormatBroker(logs, owner.cluster_id));
  TM_ASSIGN_OR_RETURN(
      auto broker,
      Start(
          "broker", broker_program,
          Arguments(BrokerSettings(logs, at.bootstrap_servers, at.controllers),
                    options.settings),
          notices.name, directory.path() + "/broker.log", options.verbose));
  Cluster cluster(std::move(controller), std::move(broker), std::move(signals),
                  std::move(notices));
  auto goes_on = cluster.WaitForReady();
  if (!goes_on) return Fail(goes_on.error());
  if (*goes_on) goes_on = CreateTopics(topics, at.controllers, &cluster);
  Status done = goes_on ? Status() : Fail(goes_on.error());
  if (goes_on && *goes_on) {
    TellOfUnknown(options.settings, directory.path());
    ready(at, json);
    done = cluster.WaitForEnd();
  }
  cluster.Stop();
  return done;
}

}  // namespace tidemark::cli
