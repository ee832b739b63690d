#include "controller/metadata/registration.h"

#include <algorithm>
#include <set>

#include "controller/metadata/eviction.h"
#include "controller/metadata/failure.h"
#include "controller/metadata/feature_decisions.h"
#include "controller/metadata/limits.h"

namespace tidemark::controller {
namespace {

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

Status CheckRegister(const View& view, const rpc_v1::RegisterRequest& request,
                     const BrokerImage* old) {
  if (request.cluster_id() != view.settings.cluster_id) {
    return Fail(ErrorCode::kInconsistentClusterId,
                "broker is of cluster " + request.cluster_id() +
                    ", controllers are of " + view.settings.cluster_id);
  }
  auto incarnation = Uuid::FromBytes(request.incarnation_id());
  if (request.broker_id() < 0 || !incarnation || incarnation->IsZero()) {
    return Fail(ErrorCode::kInvalidRequest, "bad broker or incarnation id");
  }
  if (old != nullptr && old->incarnation != *incarnation && !old->fenced &&
      view.broker.has_session && !HasDirectoriesOf(*old, request)) {
    return Fail(ErrorCode::kDuplicateBrokerRegistration,
                "another process is running as broker " +
                    std::to_string(request.broker_id()));
  }
  TM_RETURN_IF_ERROR(
      CheckSupports(view.image, "broker " + std::to_string(request.broker_id()),
                    ReadFeatures(request.features())));
  TM_RETURN_IF_ERROR(CheckEndpoints(request));
  return CheckDirectories(view.image, request);
}

// Whether the broker's replica of the partition was in a directory that it
// registers without (B-30).
bool IsLost(const PartitionImage& partition,
            const rpc_v1::RegisterRequest& request) {
  const Uuid directory = partition.DirectoryOf(request.broker_id());
  const auto& given = request.directory_ids();
  return !directory.IsZero() && std::find(given.begin(), given.end(),
                                          directory.ToBytes()) == given.end();
}

void NoteLost(const View& view, const rpc_v1::RegisterRequest& request,
              Effects* effects) {
  size_t lost = 0, last = 0;
  const NodeId id = request.broker_id();
  const metadata::TopicsImage& topics = view.image.topics();
  topics.ForEach(topics.Of(id).replicas, [&](const TopicImage&, PartitionIndex,
                                             const PartitionImage& partition) {
    if (!IsLost(partition, request)) return true;
    ++lost;
    last += partition.isr.size() == 1 && partition.isr[0] == id;
    return true;
  });
  if (lost == 0) return;
  effects->notes.push_back(
      {Note::Severity::kError,
       "broker=" + std::to_string(id) +
           " comes back without the directories of replicas=" +
           std::to_string(lost) + "; of partitions=" + std::to_string(last) +
           " it was the last in sync: these have no leader until it comes "
           "with its old disk or an unclean election is ordered"});
}

}  // namespace

Decision<rpc_v1::RegisterResponse> Decide(
    const View& view, const rpc_v1::RegisterRequest& request) {
  const Image& state = view.image;
  Decision<rpc_v1::RegisterResponse> out;
  const BrokerImage* old = state.FindBroker(request.broker_id());
  if (Status ok = CheckRegister(view, request, old); !ok) {
    SetFailure(ok.error().code, ok.error().message,
               out.response.mutable_error());
    return out;
  }
  bool same =
      old != nullptr && old->incarnation.ToBytes() == request.incarnation_id();
  // C-03: without proof that everything reached the disk the broker is not in
  // sync. An unfenced one leaves too: its new life starts fenced.
  if (old != nullptr && !same &&
      (!old->fenced || request.previous_broker_epoch() != old->epoch)) {
    EvictEverywhere(view, {request.broker_id()}, true, &out.records);
  } else if (old != nullptr && !same) {
    // B-30: what was in a directory that it no longer has is gone.
    Evict(
        view,
        {.brokers = {request.broker_id()},
         .eligible = Eligibility::Without(view, {request.broker_id()}),
         .which = [&](const PartitionImage& p) { return IsLost(p, request); }},
        &out.records);
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
  NoteLost(view, request, &out.effects);
  return out;
}

}  // namespace tidemark::controller
