#include "common/metadata/brokers_image.h"

#include <algorithm>

namespace tidemark::metadata {
namespace {

// What a broker can no longer use, each once.
template <class Repeated>
Status AddOffline(const Repeated& records, BrokerImage* broker) {
  for (const v1::OfflineDirectory& record : records) {
    TM_ASSIGN_OR_RETURN(Uuid id, ParseId(record.id(), "directory id"));
    if (broker->IsOffline(id)) continue;
    broker->offline.push_back({id, record.path(), record.reason()});
  }
  return {};
}

Result<BrokerImage> Parse(const v1::RegisterBroker& record) {
  BrokerImage broker;
  if (record.broker_id() < 0) return Bad("negative broker id");
  broker.id = record.broker_id();
  TM_ASSIGN_OR_RETURN(broker.incarnation,
                      ParseId(record.incarnation_id(), "incarnation id"));
  broker.rack = record.rack();
  for (const v1::Endpoint& endpoint : record.endpoints()) {
    if (endpoint.port() > UINT16_MAX) return Bad("endpoint port");
    broker.endpoints.push_back({endpoint.name(), endpoint.host(),
                                static_cast<uint16_t>(endpoint.port()),
                                endpoint.protocol()});
  }
  for (const std::string& raw : record.directory_ids()) {
    TM_ASSIGN_OR_RETURN(Uuid directory, ParseId(raw, "directory id"));
    broker.directories.push_back(directory);
  }
  TM_RETURN_IF_ERROR(AddOffline(record.offline_directories(), &broker));
  broker.fenced = record.fenced();
  broker.in_controlled_shutdown = record.in_controlled_shutdown();
  broker.features = ReadFeatures(record.features());
  return broker;
}

v1::Record RecordOf(const BrokerImage& broker) {
  v1::Record record;
  v1::RegisterBroker* out = record.mutable_register_broker();
  out->set_broker_id(broker.id);
  out->set_incarnation_id(broker.incarnation.ToBytes());
  out->set_broker_epoch(broker.epoch);
  for (const EndpointImage& endpoint : broker.endpoints) {
    v1::Endpoint* e = out->add_endpoints();
    e->set_name(endpoint.name);
    e->set_host(endpoint.host);
    e->set_port(endpoint.port);
    e->set_protocol(endpoint.protocol);
  }
  out->set_rack(broker.rack);
  for (const Uuid& id : broker.directories) {
    out->add_directory_ids(id.ToBytes());
  }
  out->set_fenced(broker.fenced);
  out->set_in_controlled_shutdown(broker.in_controlled_shutdown);
  WriteFeatures(broker.features, out->mutable_features());
  for (const OfflineDirectoryImage& offline : broker.offline) {
    v1::OfflineDirectory* to = out->add_offline_directories();
    to->set_id(offline.id.ToBytes());
    to->set_path(offline.path);
    to->set_reason(offline.reason);
  }
  return record;
}

}  // namespace

bool BrokerImage::HasDirectory(const Uuid& id) const {
  return std::find(directories.begin(), directories.end(), id) !=
         directories.end();
}

bool BrokerImage::IsOffline(const Uuid& id) const {
  return std::any_of(
      offline.begin(), offline.end(),
      [&](const OfflineDirectoryImage& one) { return one.id == id; });
}

const EndpointImage* BrokerImage::FindEndpoint(
    const std::string& listener) const {
  for (const EndpointImage& endpoint : endpoints) {
    if (endpoint.name == listener) return &endpoint;
  }
  return nullptr;
}

const BrokerImage* BrokersImage::Find(NodeId id) const {
  const BrokerPtr* found = brokers_.Find(id);
  return found == nullptr ? nullptr : found->get();
}

Result<const BrokerImage*> BrokersImage::FindAt(NodeId id,
                                                BrokerEpoch epoch) const {
  const BrokerImage* found = Find(id);
  if (found == nullptr) return Bad("of an unknown broker");
  if (found->epoch != epoch) return Bad("stale broker epoch");
  return found;
}

void BrokersImage::Replace(BrokerImage broker, BrokersDelta* delta) {
  const NodeId id = broker.id;
  delta->changed_brokers.insert(id);
  brokers_.Set(id, std::make_shared<const BrokerImage>(std::move(broker)));
}

Status BrokersImage::Apply(const v1::RegisterBroker& record,
                           MetadataOffset offset, BrokersDelta* delta) {
  TM_ASSIGN_OR_RETURN(BrokerImage broker, Parse(record));
  const bool from_snapshot = record.broker_epoch() > 0;
  broker.epoch = from_snapshot ? record.broker_epoch() : offset;
  const BrokerImage* old = Find(broker.id);
  // KAFKA-16757: registering again from the same process changes no state.
  if (!from_snapshot && old != nullptr &&
      old->incarnation == broker.incarnation) {
    broker.epoch = old->epoch;
    broker.fenced = old->fenced;
    broker.offline = old->offline;
    broker.in_controlled_shutdown = old->in_controlled_shutdown;
  }
  Replace(std::move(broker), delta);
  return {};
}

Status BrokersImage::Apply(const v1::UnregisterBroker& record,
                           BrokersDelta* delta) {
  TM_RETURN_IF_ERROR(FindAt(record.broker_id(), record.broker_epoch()));
  delta->changed_brokers.insert(record.broker_id());
  brokers_.Erase(record.broker_id());
  return {};
}

Status BrokersImage::Apply(const v1::ChangeBroker& record,
                           BrokersDelta* delta) {
  TM_ASSIGN_OR_RETURN(const BrokerImage* old,
                      FindAt(record.broker_id(), record.broker_epoch()));
  BrokerImage broker = *old;
  if (record.has_fenced()) broker.fenced = record.fenced();
  if (record.has_in_controlled_shutdown()) {
    broker.in_controlled_shutdown = record.in_controlled_shutdown();
  }
  if (record.has_features()) {
    broker.features = ReadFeatures(record.features().features());
  }
  TM_RETURN_IF_ERROR(AddOffline(record.offline_directories(), &broker));
  Replace(std::move(broker), delta);
  return {};
}

void BrokersImage::ToRecords(const RecordSink& sink) const {
  for (const auto& [id, broker] : brokers_) sink(RecordOf(*broker));
}

void Difference(const BrokersImage& from, const BrokersImage& to,
                BrokersDelta* delta) {
  ForEachDifference(from.brokers_, to.brokers_, [&](auto* old, auto* now) {
    if (old != nullptr && now != nullptr && *old->second == *now->second) {
      return;
    }
    delta->changed_brokers.insert((old != nullptr ? old : now)->first);
  });
}

}  // namespace tidemark::metadata
