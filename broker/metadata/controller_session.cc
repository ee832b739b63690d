#include "broker/metadata/controller_session.h"

#include <glog/logging.h>

#include <algorithm>

#include "broker/metadata/unary_call.h"
#include "common/base/utf8.h"

namespace tidemark {
namespace {

using controller::v1::AllocateProducerIdsRequest;
using controller::v1::AllocateProducerIdsResponse;
using controller::v1::AlterPartitionRequest;
using controller::v1::AlterPartitionResponse;
using controller::v1::HeartbeatRequest;
using controller::v1::HeartbeatResponse;
using controller::v1::RegisterRequest;
using controller::v1::RegisterResponse;
using std::chrono::milliseconds;

// One lifecycle call; its own loop goes on after a failure.
constexpr Duration kCallTimeout = milliseconds(1500);
constexpr Duration kRetryRegistration = milliseconds(100);
// A broker that has just registered asks often, to be unfenced soon; the longer
// that takes the less often, for where it takes long many start.
constexpr Duration kStartingHeartbeat = milliseconds(10);
constexpr Duration kShutdownHeartbeat = milliseconds(50);
constexpr Duration kFencedHeartbeat = milliseconds(100);

template <class Response>
Status FailureOf(const Response& response) {
  const auto code = static_cast<ErrorCode>(response.error().code());
  if (code == ErrorCode::kNone) return {};
  return Fail(code, response.error().message());
}

bool IsUnknownToController(ErrorCode code) {
  return code == ErrorCode::kStaleBrokerEpoch ||
         code == ErrorCode::kBrokerIdNotRegistered;
}

}  // namespace

// Everything but the atomics is touched on the executor only. Callbacks keep
// the state alive, which may outlive the session itself.
struct ControllerSession::State
    : public std::enable_shared_from_this<ControllerSession::State> {
  State(SessionOptions o, std::shared_ptr<ControllerChannels> c, Executor& e,
        Events ev)
      : options(std::move(o)),
        channels(std::move(c)),
        executor(e),
        events(std::move(ev)) {}

  template <class Request, class Response, class Stub>
  void Call(Stub stub, Request request, Duration timeout,
            std::function<void(Result<Response>)> done) {
    UnaryCall<Request, Response>::Start(channels, executor, std::move(stub),
                                        std::move(request), timeout,
                                        std::move(done));
  }
  // Runs `step` on the executor unless the session was stopped.
  void Post(std::function<void(State&)> step) {
    executor.Post([self = shared_from_this(), step = std::move(step)] {
      if (!self->stopped.load()) step(*self);
    });
  }
  void PostAfter(Duration delay, std::function<void(State&)> step) {
    executor.PostAfter(delay,
                       [self = shared_from_this(), step = std::move(step)] {
                         if (!self->stopped.load()) step(*self);
                       });
  }

  void Register();
  void OnRegistered(Result<RegisterResponse> response);
  void OnRefused(const Error& error);
  // The only heartbeat loop: `round` retires the timers of earlier ones.
  void Beat();
  void BeatAfter(Duration delay);
  void OnHeartbeat(Result<HeartbeatResponse> response);
  void SetFenced(bool now_fenced);
  // A heartbeat sent at `sent` was answered; the session lasts from then.
  void Heard(Instant sent);
  void SetSilent(bool now_silent);
  void EndShutdown(bool handed_over);
  Duration NextHeartbeat() const;

  const SessionOptions options;
  const std::shared_ptr<ControllerChannels> channels;
  Executor& executor;
  const Events events;
  std::atomic<BrokerEpoch> epoch = -1;
  std::atomic<MetadataOffset> applied = 0;
  std::atomic<bool> stopped = false;

  std::vector<metadata::EndpointImage> endpoints;
  std::vector<metadata::OfflineDirectoryImage> offline;
  std::vector<NodeId> refusing_peers, silent_peers;
  bool registering = false;
  bool beating = false;  // a heartbeat is under way
  bool hurry = false;    // another one is wanted when it is back
  uint64_t round = 0;
  bool ready_to_unfence = false;
  bool fenced = true;
  bool silent = false;
  Instant heard_at;  // when the newest answered heartbeat was sent
  Instant registered_at;
  bool shutting_down = false;
  std::function<void(bool)> shutdown_done;
};

void ControllerSession::State::Register() {
  if (registering) return;
  registering = true;
  ++round;
  RegisterRequest request;
  request.set_cluster_id(options.cluster_id);
  request.set_broker_id(options.node_id);
  request.set_incarnation_id(options.incarnation.ToBytes());
  for (const auto& endpoint : endpoints) {
    auto* to = request.add_endpoints();
    to->set_name(endpoint.name);
    to->set_host(endpoint.host);
    to->set_port(endpoint.port);
    to->set_protocol(endpoint.protocol);
  }
  request.set_rack(options.rack);
  for (const Uuid& directory : options.directories) {
    request.add_directory_ids(directory.ToBytes());
  }
  request.set_previous_broker_epoch(options.previous_epoch);
  WriteFeatures(metadata::SupportedFeatures(), request.mutable_features());
  auto stub = [](ControllerPeer& peer, grpc::ClientContext* context,
                 const RegisterRequest* from, RegisterResponse* to,
                 std::function<void(grpc::Status)> done) {
    peer.lifecycle->async()->Register(context, from, to, std::move(done));
  };
  Call<RegisterRequest, RegisterResponse>(
      stub, std::move(request), kCallTimeout,
      [self = shared_from_this(),
       sent = executor.Now()](Result<RegisterResponse> response) {
        self->Post([sent, response = std::move(response)](State& state) {
          state.registering = false;
          // Where the session begins, though no heartbeat is ever answered.
          if (response && FailureOf(*response)) state.Heard(sent);
          state.OnRegistered(response);
        });
      });
}

void ControllerSession::State::OnRegistered(Result<RegisterResponse> response) {
  if (response) {
    if (Status failure = FailureOf(*response); !failure) {
      response = Fail(failure.error());
    }
  }
  if (!response) return OnRefused(response.error());
  channels->Reached();
  epoch.store(response->broker_epoch());
  registered_at = executor.Now();
  LOG(INFO) << "registered broker=" << options.node_id
            << " epoch=" << response->broker_epoch()
            << " incarnation=" << ToString(options.incarnation);
  if (events.registered) events.registered(response->broker_epoch());
  Beat();
}

void ControllerSession::State::OnRefused(const Error& error) {
  if (error.code == ErrorCode::kInconsistentClusterId ||
      error.code == ErrorCode::kUnsupportedVersion) {
    if (events.refused) events.refused(error);
    return;
  }
  if (error.code == ErrorCode::kDuplicateBrokerRegistration) {
    LOG_EVERY_T(WARNING, 5)
        << "waiting for the session of another process with this id to end"
        << " broker=" << options.node_id << " message=\"" << error.message
        << '"';
  } else {
    LOG_EVERY_T(WARNING, 5) << "cannot register broker=" << options.node_id
                            << " error=\"" << ToString(error) << '"';
  }
  PostAfter(kRetryRegistration, [](State& state) { state.Register(); });
}

void ControllerSession::State::Beat() {
  if (beating || registering || epoch.load() < 0) return;
  beating = true;
  hurry = false;
  ++round;
  HeartbeatRequest request;
  request.set_broker_id(options.node_id);
  request.set_broker_epoch(epoch.load());
  request.set_metadata_offset(applied.load());
  request.set_want_fence(!ready_to_unfence);
  request.set_want_shut_down(shutting_down);
  for (const metadata::OfflineDirectoryImage& directory : offline) {
    request.add_offline_directory_ids(directory.id.ToBytes());
    auto* told = request.add_offline_directories();
    told->set_id(directory.id.ToBytes());
    if (IsUtf8(directory.path)) told->set_path(directory.path);
    if (IsUtf8(directory.reason)) told->set_reason(directory.reason);
  }
  for (const NodeId peer : refusing_peers) request.add_refusing_brokers(peer);
  for (const NodeId peer : silent_peers) request.add_silent_brokers(peer);
  WriteFeatures(metadata::SupportedFeatures(), request.mutable_features());
  auto stub = [](ControllerPeer& peer, grpc::ClientContext* context,
                 const HeartbeatRequest* from, HeartbeatResponse* to,
                 std::function<void(grpc::Status)> done) {
    peer.lifecycle->async()->Heartbeat(context, from, to, std::move(done));
  };
  Call<HeartbeatRequest, HeartbeatResponse>(
      stub, std::move(request), kCallTimeout,
      [self = shared_from_this(),
       sent = executor.Now()](Result<HeartbeatResponse> response) {
        self->Post([sent, response = std::move(response)](State& state) {
          state.beating = false;
          if (response && FailureOf(*response)) state.Heard(sent);
          state.OnHeartbeat(response);
        });
      });
}

void ControllerSession::State::BeatAfter(Duration delay) {
  PostAfter(delay, [round = ++round](State& state) {
    if (state.round == round) state.Beat();
  });
}

void ControllerSession::State::OnHeartbeat(Result<HeartbeatResponse> response) {
  if (response) {
    if (Status failure = FailureOf(*response); !failure) {
      response = Fail(failure.error());
    }
  }
  if (!response) {
    if (IsUnknownToController(response.error().code)) {
      LOG(WARNING) << "the controllers do not know this broker any more, "
                      "registering again broker="
                   << options.node_id << " epoch=" << epoch.load()
                   << " error=\"" << ToString(response.error()) << '"';
      return Register();
    }
    LOG_EVERY_T(WARNING, 5) << "heartbeat failed broker=" << options.node_id
                            << " error=\"" << ToString(response.error()) << '"';
    return BeatAfter(std::min(kRetryRegistration, options.heartbeat_interval));
  }
  SetFenced(response->fenced());
  if (shutting_down && response->should_shut_down()) EndShutdown(true);
  if (hurry) return Beat();
  BeatAfter(NextHeartbeat());
}

void ControllerSession::State::Heard(Instant sent) {
  heard_at = sent;
  SetSilent(false);
  // One of these timers finds that no later answer has come.
  PostAfter(sent + options.session_timeout - executor.Now(),
            [sent](State& state) {
              if (state.heard_at == sent) state.SetSilent(true);
            });
}

void ControllerSession::State::SetSilent(bool now_silent) {
  if (silent == now_silent) return;
  silent = now_silent;
  if (silent) {
    LOG(WARNING) << "the controllers are silent for a session broker="
                 << options.node_id << " epoch=" << epoch.load();
  }
  if (events.silent) events.silent(silent);
  if (silent) EndShutdown(false);
}

void ControllerSession::State::EndShutdown(bool handed_over) {
  if (shutdown_done) std::exchange(shutdown_done, nullptr)(handed_over);
}

void ControllerSession::State::SetFenced(bool now_fenced) {
  if (fenced == now_fenced) return;
  fenced = now_fenced;
  if (!fenced) {
    LOG(INFO) << "unfenced broker=" << options.node_id
              << " epoch=" << epoch.load();
  } else if (!shutting_down) {
    LOG(WARNING) << "fenced by the controllers broker=" << options.node_id
                 << " epoch=" << epoch.load();
    registered_at = executor.Now();
  }
  if (events.fenced) events.fenced(fenced);
}

Duration ControllerSession::State::NextHeartbeat() const {
  if (shutting_down)
    return std::min(kShutdownHeartbeat, options.heartbeat_interval);
  if (!fenced) return options.heartbeat_interval;
  const Duration since = executor.Now() - registered_at;
  return std::min(std::clamp(since / 8, kStartingHeartbeat, kFencedHeartbeat),
                  options.heartbeat_interval);
}

ControllerSession::ControllerSession(
    SessionOptions options, std::shared_ptr<ControllerChannels> channels,
    Executor& executor, Events events)
    : state_(std::make_shared<State>(std::move(options), std::move(channels),
                                     executor, std::move(events))) {}

ControllerSession::~ControllerSession() { Stop(); }

void ControllerSession::Start(std::vector<metadata::EndpointImage> endpoints) {
  state_->Post([endpoints = std::move(endpoints)](State& state) {
    state.endpoints = endpoints;
    state.Register();
  });
}

void ControllerSession::ReportOffline(
    metadata::OfflineDirectoryImage directory) {
  state_->Post([directory = std::move(directory)](State& state) {
    state.offline.push_back(directory);
    state.hurry = true;
    state.Beat();
  });
}

void ControllerSession::ReportPeers(std::vector<NodeId> refusing,
                                    std::vector<NodeId> silent) {
  state_->Post([refusing = std::move(refusing),
                silent = std::move(silent)](State& state) {
    if (state.refusing_peers == refusing && state.silent_peers == silent) {
      return;
    }
    state.refusing_peers = refusing;
    state.silent_peers = silent;
    state.hurry = true;
    state.Beat();
  });
}

void ControllerSession::SetApplied(MetadataOffset offset) {
  state_->applied.store(offset);
}

void ControllerSession::SetReadyToUnfence() {
  state_->Post([](State& state) {
    if (std::exchange(state.ready_to_unfence, true)) return;
    state.hurry = true;
    state.Beat();
  });
}

void ControllerSession::Hurry() {
  state_->Post([](State& state) {
    state.hurry = true;
    state.Beat();
  });
}

void ControllerSession::RequestShutdown(std::function<void(bool)> done) {
  state_->Post([done = std::move(done)](State& state) {
    state.shutting_down = true;
    state.shutdown_done = done;
    if (state.silent) state.EndShutdown(false);
    state.hurry = true;
    state.Beat();
  });
}

void ControllerSession::Stop() { state_->stopped.store(true); }

BrokerEpoch ControllerSession::broker_epoch() const {
  return state_->epoch.load();
}

void ControllerSession::AlterPartition(AlterPartitionRequest request,
                                       Done<AlterPartitionResponse> done) {
  request.set_broker_id(state_->options.node_id);
  request.set_broker_epoch(broker_epoch());
  auto stub = [](ControllerPeer& peer, grpc::ClientContext* context,
                 const AlterPartitionRequest* from, AlterPartitionResponse* to,
                 std::function<void(grpc::Status)> finished) {
    peer.lifecycle->async()->AlterPartition(context, from, to,
                                            std::move(finished));
  };
  state_->Call<AlterPartitionRequest, AlterPartitionResponse>(
      stub, std::move(request), kCallTimeout,
      [done = std::move(done)](Result<AlterPartitionResponse> response) {
        if (response) {
          if (Status failure = FailureOf(*response); !failure) {
            return done(Fail(failure.error()));
          }
        }
        done(std::move(response));
      });
}

void ControllerSession::AssignReplicas(
    controller::v1::AssignReplicasRequest request,
    Done<controller::v1::AssignReplicasResponse> done) {
  using Request = controller::v1::AssignReplicasRequest;
  using Response = controller::v1::AssignReplicasResponse;
  request.set_broker_id(state_->options.node_id);
  request.set_broker_epoch(broker_epoch());
  auto stub = [](ControllerPeer& peer, grpc::ClientContext* context,
                 const Request* from, Response* to,
                 std::function<void(grpc::Status)> finished) {
    peer.lifecycle->async()->AssignReplicas(context, from, to,
                                            std::move(finished));
  };
  state_->Call<Request, Response>(
      stub, std::move(request), kCallTimeout,
      [done = std::move(done)](Result<Response> response) {
        if (response) {
          if (Status failure = FailureOf(*response); !failure) {
            return done(Fail(failure.error()));
          }
        }
        done(std::move(response));
      });
}

void ControllerSession::AllocateProducerIds(
    Done<AllocateProducerIdsResponse> done) {
  AllocateProducerIdsRequest request;
  request.set_broker_id(state_->options.node_id);
  request.set_broker_epoch(broker_epoch());
  auto stub = [](ControllerPeer& peer, grpc::ClientContext* context,
                 const AllocateProducerIdsRequest* from,
                 AllocateProducerIdsResponse* to,
                 std::function<void(grpc::Status)> finished) {
    peer.lifecycle->async()->AllocateProducerIds(context, from, to,
                                                 std::move(finished));
  };
  state_->Call<AllocateProducerIdsRequest, AllocateProducerIdsResponse>(
      stub, std::move(request), kCallTimeout,
      [done = std::move(done)](Result<AllocateProducerIdsResponse> response) {
        if (response) {
          if (Status failure = FailureOf(*response); !failure) {
            return done(Fail(failure.error()));
          }
        }
        done(std::move(response));
      });
}

#define TM_ADMIN_CALL(Name)                                              \
  void ControllerSession::Name(admin::v1::Name##Request request,         \
                               Duration timeout,                         \
                               Done<admin::v1::Name##Response> done) {   \
    auto stub = [](ControllerPeer& peer, grpc::ClientContext* context,   \
                   const admin::v1::Name##Request* from,                 \
                   admin::v1::Name##Response* to,                        \
                   std::function<void(grpc::Status)> finished) {         \
      peer.admin->async()->Name(context, from, to, std::move(finished)); \
    };                                                                   \
    state_->Call<admin::v1::Name##Request, admin::v1::Name##Response>(   \
        stub, std::move(request), timeout, std::move(done));             \
  }
TM_ADMIN_CALL(CreateTopics)
TM_ADMIN_CALL(DeleteTopics)
TM_ADMIN_CALL(CreatePartitions)
TM_ADMIN_CALL(AlterConfigs)
TM_ADMIN_CALL(DescribeQuorum)
TM_ADMIN_CALL(ChangeQuorum)
TM_ADMIN_CALL(UpdateFeatures)
TM_ADMIN_CALL(AlterPartitionReassignments)
TM_ADMIN_CALL(ListPartitionReassignments)
TM_ADMIN_CALL(AlterScramCredentials)
TM_ADMIN_CALL(ElectLeaders)
TM_ADMIN_CALL(UnregisterBroker)
TM_ADMIN_CALL(CreateAcls)
TM_ADMIN_CALL(DeleteAcls)
#undef TM_ADMIN_CALL

}  // namespace tidemark
