#include "controller/metadata/broker_decisions.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <set>

#include "common/metadata/configs.h"
#include "controller/metadata/feature_decisions.h"

namespace tidemark::controller {
namespace {

void SetError(ErrorCode code, const std::string& message,
              rpc_v1::Failure* out) {
  out->set_code(static_cast<int32_t>(code));
  out->set_message(message);
}

bool Contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Acknowledged before it is on any disk: an unclean stop may lose it.
bool IsInPageCacheOnly(const Image& state, const std::string& topic,
                       const Settings& settings) {
  return metadata::ResolveTopicConfig(state, topic, "flush.messages", kNoNode,
                                      settings.static_configs)
             .value == std::to_string(INT64_MAX);
}

// Removes `broker` from the ISRs and leaderships of the partitions that `which`
// holds for. `unclean`: its process has not stopped in order.
void Evict(const Image& state, NodeId broker, const Eligibility& eligible,
           const std::function<bool(const PartitionImage&)>& which,
           bool unclean, const Settings& settings, Records* out) {
  const metadata::BrokerPartitions& of = state.topics().Of(broker);
  if (of.in_sync == 0 && of.eligible == 0) return;
  state.topics().ForEach(
      of.replicas, [&](const TopicImage& topic, PartitionIndex index,
                       const PartitionImage& now) {
        if ((!Contains(now.isr, broker) && !Contains(now.elr, broker)) ||
            !which(now)) {
          return true;
        }
        PartitionChange change(topic, index, eligible, settings);
        if (unclean && IsInPageCacheOnly(state, topic.name, settings)) {
          change.LogLost(broker);
        }
        change.WithoutIsrMember(broker).UncleanIf([&] {
          return UncleanElectionEnabled(state, topic.name, settings);
        });
        if (auto record = change.Build()) out->push_back(std::move(*record));
        return true;
      });
}

void EvictEverywhere(const Image& state, NodeId broker, bool unclean,
                     const Settings& settings, Records* out) {
  Evict(
      state, broker, Eligibility::Without(state, broker),
      [](const PartitionImage&) { return true; }, unclean, settings, out);
}

// Leaders for partitions that wait for `broker`.
void ElectLeaderless(const Image& state, NodeId broker,
                     const Eligibility& eligible, const Settings& settings,
                     Records* out) {
  const metadata::TopicsImage& topics = state.topics();
  const metadata::PartitionSet& replicas = topics.Of(broker).replicas;
  const bool few = topics.leaderless().size() < replicas.size();
  topics.ForEach(
      few ? topics.leaderless() : replicas,
      [&](const TopicImage& topic, PartitionIndex index,
          const PartitionImage& now) {
        if (now.leader != kNoNode || !Contains(now.replicas, broker)) {
          return true;
        }
        PartitionChange change(topic, index, eligible, settings);
        change.UncleanIf([&] {
          return UncleanElectionEnabled(state, topic.name, settings);
        });
        if (auto record = change.Build()) {
          out->push_back(std::move(*record));
        }
        return true;
      });
}

record_v1::Record ChangeOf(const BrokerImage& broker, bool fenced) {
  record_v1::Record record;
  record_v1::ChangeBroker* change = record.mutable_change_broker();
  change->set_broker_id(broker.id);
  change->set_broker_epoch(broker.epoch);
  change->set_fenced(fenced);
  return record;
}

// Names and hosts go to Kafka clients, whose strings end at 32,767 bytes.
constexpr size_t kMaxText = 1024;

Status CheckEndpoints(const rpc_v1::RegisterRequest& request) {
  std::set<std::string> names;
  if (request.rack().size() > kMaxText) {
    return Fail(ErrorCode::kInvalidRequest, "the rack's name is too long");
  }
  for (const record_v1::Endpoint& endpoint : request.endpoints()) {
    if (endpoint.name().empty() || endpoint.host().empty() ||
        endpoint.port() == 0 || endpoint.port() > 65535) {
      return Fail(ErrorCode::kInvalidRequest,
                  "a listener needs a name, a host and a port from 1 to 65535");
    }
    if (endpoint.name().size() > kMaxText ||
        endpoint.host().size() > kMaxText ||
        endpoint.protocol().size() > kMaxText) {
      return Fail(ErrorCode::kInvalidRequest,
                  "a listener's name or host is too long");
    }
    if (!names.insert(endpoint.name()).second) {
      return Fail(ErrorCode::kInvalidRequest,
                  "listener " + endpoint.name() + " is given twice");
    }
  }
  if (names.empty()) {
    return Fail(ErrorCode::kInvalidRequest, "a broker needs a listener");
  }
  return {};
}

Status CheckDirectories(const Image& state,
                        const rpc_v1::RegisterRequest& request) {
  std::set<Uuid> own;
  for (const std::string& raw : request.directory_ids()) {
    auto id = Uuid::FromBytes(raw);
    if (!id || id->IsZero() || *id == metadata::kLostDirectory ||
        !own.insert(*id).second) {
      return Fail(ErrorCode::kInvalidRequest,
                  "directory ids must be unique and not zero");
    }
  }
  if (own.empty()) {
    return Fail(ErrorCode::kInvalidRequest, "a broker needs a log directory");
  }
  for (const auto& [id, broker] : state.brokers()) {
    if (id == request.broker_id()) continue;
    for (const Uuid& directory : broker->directories) {
      if (own.contains(directory)) {
        return Fail(ErrorCode::kDuplicateBrokerRegistration,
                    "log directory " + ToString(directory) +
                        " belongs to broker " + std::to_string(id));
      }
    }
  }
  return {};
}

// The running broker holds a lock on each of its directories, so whoever
// opened the same ones comes after its end.
bool HasDirectoriesOf(const BrokerImage& old,
                      const rpc_v1::RegisterRequest& request) {
  std::set<std::string> given(request.directory_ids().begin(),
                              request.directory_ids().end());
  return !old.directories.empty() && given.size() == old.directories.size() &&
         std::all_of(
             old.directories.begin(), old.directories.end(),
             [&](const Uuid& id) { return given.contains(id.ToBytes()); });
}

Status CheckRegister(const Image& state, const rpc_v1::RegisterRequest& request,
                     const BrokerImage* old, bool has_session,
                     const Settings& settings) {
  if (request.cluster_id() != settings.cluster_id) {
    return Fail(ErrorCode::kInconsistentClusterId,
                "broker is of cluster " + request.cluster_id() +
                    ", controllers are of " + settings.cluster_id);
  }
  auto incarnation = Uuid::FromBytes(request.incarnation_id());
  if (request.broker_id() < 0 || !incarnation || incarnation->IsZero()) {
    return Fail(ErrorCode::kInvalidRequest, "bad broker or incarnation id");
  }
  if (old != nullptr && old->incarnation != *incarnation && !old->fenced &&
      has_session && !HasDirectoriesOf(*old, request)) {
    return Fail(ErrorCode::kDuplicateBrokerRegistration,
                "another process is running as broker " +
                    std::to_string(request.broker_id()));
  }
  TM_RETURN_IF_ERROR(
      CheckSupports(state, "broker " + std::to_string(request.broker_id()),
                    ReadFeatures(request.features())));
  TM_RETURN_IF_ERROR(CheckEndpoints(request));
  return CheckDirectories(state, request);
}

bool RemembersFeatures(const Image& state) {
  return state.features().metadata_version() >= metadata::kFeaturesLevel;
}

// What a broker that registered at a lower level supports.
void NoteFeatures(const Image& state, const BrokerImage& broker,
                  const rpc_v1::HeartbeatRequest& request, Records* out) {
  if (!RemembersFeatures(state)) return;
  const FeatureRanges said = ReadFeatures(request.features());
  if (said == broker.features) return;
  record_v1::ChangeBroker* change = out->emplace_back().mutable_change_broker();
  change->set_broker_id(broker.id);
  change->set_broker_epoch(broker.epoch);
  WriteFeatures(said, change->mutable_features()->mutable_features());
}

bool IsOneOf(const std::vector<Uuid>& ids, const Uuid& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Directories of the broker that it says it can no longer use, and the metadata
// do not know yet.
std::vector<Uuid> NewlyOffline(const BrokerImage& broker,
                               const rpc_v1::HeartbeatRequest& request) {
  std::vector<Uuid> out;
  for (const std::string& raw : request.offline_directory_ids()) {
    auto id = Uuid::FromBytes(raw);
    if (!id || !broker.HasDirectory(*id) || broker.IsOffline(*id)) continue;
    if (!IsOneOf(out, *id)) out.push_back(*id);
  }
  return out;
}

record_v1::Record OfflineRecord(const BrokerImage& broker,
                                const rpc_v1::HeartbeatRequest& request,
                                const std::vector<Uuid>& offline) {
  record_v1::Record record;
  record_v1::ChangeBroker* change = record.mutable_change_broker();
  change->set_broker_id(broker.id);
  change->set_broker_epoch(broker.epoch);
  for (const Uuid& id : offline) {
    auto* to = change->add_offline_directories();
    to->set_id(id.ToBytes());
    for (const auto& told : request.offline_directories()) {
      if (told.id() != to->id()) continue;
      if (told.path().size() <= kMaxText) to->set_path(told.path());
      if (told.reason().size() <= kMaxText) to->set_reason(told.reason());
    }
  }
  return record;
}

// C-09: the broker's replicas in these directories are out of sync, and others
// lead; the broker goes on with the rest.
void TakeDirectoriesOffline(const Image& state, const BrokerImage& broker,
                            const rpc_v1::HeartbeatRequest& request,
                            const std::vector<Uuid>& offline,
                            const Settings& settings, Records* out) {
  out->push_back(OfflineRecord(broker, request, offline));
  Eligibility eligible(state);
  eligible.WithoutDirectories(broker.id, offline);
  Evict(
      state, broker.id, eligible,
      [&](const PartitionImage& now) {
        return IsOneOf(offline, now.DirectoryOf(broker.id));
      },
      false, settings, out);
}

// A broker without a disk serves nothing (C-09).
bool AllDirectoriesOffline(const BrokerImage& broker,
                           const rpc_v1::HeartbeatRequest& request) {
  const auto& offline = request.offline_directory_ids();
  return !broker.directories.empty() &&
         std::all_of(broker.directories.begin(), broker.directories.end(),
                     [&](const Uuid& id) {
                       return std::find(offline.begin(), offline.end(),
                                        id.ToBytes()) != offline.end();
                     });
}

void DecideShutdown(const Image& state, const BrokerImage& broker,
                    const HeartbeatFacts& facts, const Settings& settings,
                    Decision<rpc_v1::HeartbeatResponse>* out) {
  if (broker.fenced) {
    out->response.set_should_shut_down(true);
    return;
  }
  if (!broker.in_controlled_shutdown) {
    EvictEverywhere(state, broker.id, false, settings, &out->records);
    record_v1::Record record;
    record_v1::ChangeBroker* change = record.mutable_change_broker();
    change->set_broker_id(broker.id);
    change->set_broker_epoch(broker.epoch);
    change->set_in_controlled_shutdown(true);
    out->records.push_back(std::move(record));
    return;
  }
  if (!facts.leaders_moved_everywhere) return;
  out->records = DecideFence(state, broker.id, settings);
  out->response.set_fenced(true);
  out->response.set_should_shut_down(true);
}

}  // namespace

bool IsLost(const PartitionImage& partition,
            const rpc_v1::RegisterRequest& request) {
  const Uuid directory = partition.DirectoryOf(request.broker_id());
  const auto& given = request.directory_ids();
  return !directory.IsZero() && std::find(given.begin(), given.end(),
                                          directory.ToBytes()) == given.end();
}

Decision<rpc_v1::RegisterResponse> DecideRegister(
    const Image& state, const rpc_v1::RegisterRequest& request,
    bool has_session, const Settings& settings) {
  Decision<rpc_v1::RegisterResponse> out;
  const BrokerImage* old = state.FindBroker(request.broker_id());
  if (Status ok = CheckRegister(state, request, old, has_session, settings);
      !ok) {
    SetError(ok.error().code, ok.error().message, out.response.mutable_error());
    return out;
  }
  bool same =
      old != nullptr && old->incarnation.ToBytes() == request.incarnation_id();
  // C-03: without proof that everything reached the disk the broker is not in
  // sync. An unfenced one leaves too: its new life starts fenced.
  if (old != nullptr && !same &&
      (!old->fenced || request.previous_broker_epoch() != old->epoch)) {
    EvictEverywhere(state, request.broker_id(), true, settings, &out.records);
  } else if (old != nullptr && !same) {
    // B-30: what was in a directory that it no longer has is gone.
    Evict(
        state, request.broker_id(),
        Eligibility::Without(state, request.broker_id()),
        [&](const PartitionImage& now) { return IsLost(now, request); }, false,
        settings, &out.records);
  }
  record_v1::Record record;
  record_v1::RegisterBroker* reg = record.mutable_register_broker();
  reg->set_broker_id(request.broker_id());
  reg->set_incarnation_id(request.incarnation_id());
  *reg->mutable_endpoints() = request.endpoints();
  reg->set_rack(request.rack());
  *reg->mutable_directory_ids() = request.directory_ids();
  reg->set_fenced(true);
  if (RemembersFeatures(state)) {
    WriteFeatures(ReadFeatures(request.features()), reg->mutable_features());
  }
  out.records.push_back(std::move(record));
  return out;
}

Decision<rpc_v1::HeartbeatResponse> DecideHeartbeat(
    const Image& state, const rpc_v1::HeartbeatRequest& request,
    const HeartbeatFacts& facts, const Settings& settings) {
  Decision<rpc_v1::HeartbeatResponse> out;
  const BrokerImage* broker = state.FindBroker(request.broker_id());
  if (broker == nullptr) {
    SetError(ErrorCode::kBrokerIdNotRegistered, "register first",
             out.response.mutable_error());
    return out;
  }
  if (broker->epoch != request.broker_epoch()) {
    SetError(ErrorCode::kStaleBrokerEpoch,
             "broker epoch is not the registered one: register again",
             out.response.mutable_error());
    return out;
  }
  // Its own registration, not the log's end, which may never hold still
  // (KAFKA-13959).
  bool caught_up = request.metadata_offset() >= broker->epoch;
  out.response.set_caught_up(caught_up);
  out.response.set_fenced(broker->fenced);
  bool want_fence =
      request.want_fence() || AllDirectoriesOffline(*broker, request);
  const std::vector<Uuid> offline = NewlyOffline(*broker, request);
  if (request.want_shut_down()) {
    DecideShutdown(state, *broker, facts, settings, &out);
  } else if (!broker->fenced && want_fence) {
    if (!offline.empty()) {
      out.records.push_back(OfflineRecord(*broker, request, offline));
    }
    Records fence = DecideFence(state, broker->id, settings);
    std::move(fence.begin(), fence.end(), std::back_inserter(out.records));
    out.response.set_fenced(true);
  } else if (!offline.empty()) {
    // Unfenced, when it is not, by the next heartbeat.
    TakeDirectoriesOffline(state, *broker, request, offline, settings,
                           &out.records);
  } else if (broker->fenced && !want_fence && caught_up && facts.connected &&
             !broker->in_controlled_shutdown) {
    out.records.push_back(ChangeOf(*broker, false));
    ElectLeaderless(state, broker->id, Eligibility::With(state, broker->id),
                    settings, &out.records);
    out.response.set_fenced(false);
  } else {
    NoteFeatures(state, *broker, request, &out.records);
  }
  return out;
}

Records DecideFence(const Image& state, NodeId id, const Settings& settings) {
  Records out;
  EvictEverywhere(state, id, false, settings, &out);
  out.push_back(ChangeOf(*state.FindBroker(id), true));
  return out;
}

Result<Decision<admin_v1::UnregisterBrokerResponse>> DecideUnregister(
    const Image& state, const admin_v1::UnregisterBrokerRequest& request,
    const Settings& settings) {
  const BrokerImage* broker = state.FindBroker(request.broker_id());
  if (broker == nullptr) {
    return Fail(
        ErrorCode::kBrokerIdNotRegistered,
        "broker " + std::to_string(request.broker_id()) + " is not registered");
  }
  Decision<admin_v1::UnregisterBrokerResponse> out;
  EvictEverywhere(state, broker->id, false, settings, &out.records);
  record_v1::Record record;
  record.mutable_unregister_broker()->set_broker_id(broker->id);
  record.mutable_unregister_broker()->set_broker_epoch(broker->epoch);
  out.records.push_back(std::move(record));
  return out;
}

Decision<rpc_v1::AllocateProducerIdsResponse> DecideAllocateProducerIds(
    const Image& state, const rpc_v1::AllocateProducerIdsRequest& request) {
  Decision<rpc_v1::AllocateProducerIdsResponse> out;
  const BrokerImage* broker = state.FindBroker(request.broker_id());
  if (broker == nullptr || broker->epoch != request.broker_epoch()) {
    SetError(ErrorCode::kStaleBrokerEpoch,
             "broker epoch is not the registered one: register again",
             out.response.mutable_error());
    return out;
  }
  ProducerId first = state.next_producer_id();
  if (first > std::numeric_limits<ProducerId>::max() - kProducerIdBlock) {
    SetError(ErrorCode::kUnknownServerError, "no producer ids left",
             out.response.mutable_error());
    return out;
  }
  record_v1::Record record;
  auto* ids = record.mutable_allocate_producer_ids();
  ids->set_broker_id(request.broker_id());
  ids->set_broker_epoch(request.broker_epoch());
  ids->set_next_producer_id(first + kProducerIdBlock);
  out.records.push_back(std::move(record));
  out.response.set_first(first);
  out.response.set_count(kProducerIdBlock);
  return out;
}

}  // namespace tidemark::controller
