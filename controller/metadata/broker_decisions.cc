#include "controller/metadata/broker_decisions.h"

#include <algorithm>
#include <iterator>

#include "controller/metadata/failure.h"
#include "controller/metadata/feature_decisions.h"
#include "controller/metadata/limits.h"

namespace tidemark::controller {
namespace {

record_v1::Record ChangeOf(const BrokerImage& broker, bool fenced) {
  record_v1::Record record;
  record_v1::ChangeBroker* change = record.mutable_change_broker();
  change->set_broker_id(broker.id);
  change->set_broker_epoch(broker.epoch);
  change->set_fenced(fenced);
  return record;
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
void TakeDirectoriesOffline(const View& view, const BrokerImage& broker,
                            const rpc_v1::HeartbeatRequest& request,
                            const std::vector<Uuid>& offline, Records* out) {
  out->push_back(OfflineRecord(broker, request, offline));
  Eligibility eligible(view);
  eligible.WithoutDirectories(broker.id, offline);
  Evict(view,
        {.brokers = {broker.id},
         .eligible = std::move(eligible),
         .which =
             [&](const PartitionImage& now) {
               return IsOneOf(offline, now.DirectoryOf(broker.id));
             }},
        out);
}

void NoteOffline(const Records& records, Effects* effects) {
  for (const record_v1::Record& record : records) {
    for (const auto& offline : record.change_broker().offline_directories()) {
      effects->notes.push_back(
          {Note::Severity::kError,
           "broker=" + std::to_string(record.change_broker().broker_id()) +
               " cannot use directory=" + offline.path() + " reason=\"" +
               offline.reason() +
               "\", moving partitions=" + std::to_string(records.size() - 1)});
    }
  }
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

void DecideShutdown(const View& view, const BrokerImage& broker,
                    Decision<rpc_v1::HeartbeatResponse>* out) {
  if (broker.fenced) {
    out->response.set_should_shut_down(true);
    return;
  }
  if (!broker.in_controlled_shutdown) {
    EvictEverywhere(view, {broker.id}, false, &out->records);
    out->effects.shutdown_begun = broker.id;
    out->effects.notes.push_back(
        {.text = "broker=" + std::to_string(broker.id) +
                 " shuts down, moving its " +
                 std::to_string(out->records.size()) + " partitions"});
    record_v1::Record record;
    record_v1::ChangeBroker* change = record.mutable_change_broker();
    change->set_broker_id(broker.id);
    change->set_broker_epoch(broker.epoch);
    change->set_in_controlled_shutdown(true);
    out->records.push_back(std::move(record));
    return;
  }
  if (!view.broker.leaders_moved_everywhere) return;
  out->records = DecideFence(view, {broker.id});
  out->response.set_fenced(true);
  out->response.set_should_shut_down(true);
}

}  // namespace

Decision<rpc_v1::HeartbeatResponse> Decide(
    const View& view, const rpc_v1::HeartbeatRequest& request) {
  Decision<rpc_v1::HeartbeatResponse> out;
  const BrokerImage* broker = view.image.FindBroker(request.broker_id());
  if (broker == nullptr) {
    SetFailure(ErrorCode::kBrokerIdNotRegistered, "register first",
               out.response.mutable_error());
    return out;
  }
  if (broker->epoch != request.broker_epoch()) {
    SetFailure(ErrorCode::kStaleBrokerEpoch,
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
    DecideShutdown(view, *broker, &out);
  } else if (!broker->fenced && want_fence) {
    if (!offline.empty()) {
      out.records.push_back(OfflineRecord(*broker, request, offline));
    }
    Records fence = DecideFence(view, {broker->id});
    std::move(fence.begin(), fence.end(), std::back_inserter(out.records));
    out.response.set_fenced(true);
  } else if (!offline.empty()) {
    // Unfenced, when it is not, by the next heartbeat.
    TakeDirectoriesOffline(view, *broker, request, offline, &out.records);
  } else if (broker->fenced && !want_fence && caught_up &&
             view.broker.connected && !broker->in_controlled_shutdown) {
    out.records.push_back(ChangeOf(*broker, false));
    ElectLeaderless(view, broker->id, Eligibility::With(view, broker->id),
                    &out.records);
    out.response.set_fenced(false);
  } else {
    NoteFeatures(view.image, *broker, request, &out.records);
  }
  NoteOffline(out.records, &out.effects);
  if (out.response.fenced() != broker->fenced) {
    out.effects.notes.push_back(
        {.text = "broker=" + std::to_string(broker->id) +
                 (broker->fenced ? " unfenced" : " fenced at its own wish")});
  }
  return out;
}

Records DecideFence(const View& view, std::vector<NodeId> brokers) {
  std::sort(brokers.begin(), brokers.end());
  Fencing fencing{std::move(brokers)};
  return FenceSome(view, SIZE_MAX, &fencing);
}

Records FenceSome(const View& view, size_t limit, Fencing* fencing) {
  Records out;
  const Eviction eviction{
      .brokers = fencing->brokers,
      .eligible = Eligibility::Without(view, fencing->brokers)};
  fencing->complete = EvictSome(view, eviction, limit, &fencing->cursor, &out);
  if (!fencing->complete) return out;
  for (NodeId id : fencing->brokers) {
    out.push_back(ChangeOf(*view.image.FindBroker(id), true));
  }
  return out;
}

Result<Decision<admin_v1::UnregisterBrokerResponse>> Decide(
    const View& view, const admin_v1::UnregisterBrokerRequest& request) {
  if (view.broker.being_registered) {
    // As if there was no controller yet: it is asked again in a moment.
    return Fail(ErrorCode::kNotController,
                "the broker is registering right now: try again");
  }
  const BrokerImage* broker = view.image.FindBroker(request.broker_id());
  if (broker == nullptr) {
    return Fail(
        ErrorCode::kBrokerIdNotRegistered,
        "broker " + std::to_string(request.broker_id()) + " is not registered");
  }
  Decision<admin_v1::UnregisterBrokerResponse> out;
  EvictEverywhere(view, {broker->id}, false, &out.records);
  record_v1::Record record;
  record.mutable_unregister_broker()->set_broker_id(broker->id);
  record.mutable_unregister_broker()->set_broker_epoch(broker->epoch);
  out.records.push_back(std::move(record));
  out.effects.notes.push_back(
      {.text = "unregistered broker=" + std::to_string(broker->id)});
  return out;
}

}  // namespace tidemark::controller
