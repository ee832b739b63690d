#include "tests/sim/replication/sim_controller.h"

#include <glog/logging.h>

#include <utility>

#include "common/metadata/apply.h"

namespace tidemark::replication {

namespace {

constexpr Duration kSession = std::chrono::seconds(2);

Uuid MakeUuid(uint64_t low, uint8_t high) {
  Uuid id;
  id.bytes[0] = high;
  for (int i = 0; i < 8; ++i) {
    id.bytes[15 - i] = static_cast<uint8_t>(low >> (8 * i));
  }
  return id;
}

}  // namespace

SimController::SimController(SimWorld& world, Push push)
    : world_(world), push_(std::move(push)) {
  settings_.cluster_id = "sim";
  topic_id_ = MakeUuid(77, 3);
  CheckSessions();
}

const metadata::PartitionImage& SimController::Row() const {
  return *image_->FindTopic(topic_id_)->partitions[0];
}

void SimController::Commit(const controller::Records& records) {
  if (records.empty()) return;
  metadata::v1::RecordBatch batch;
  for (const auto& record : records) *batch.add_records() = record;
  auto next =
      metadata::ApplyBatch(image_, batch, image_->offset() + 1, nullptr);
  CHECK(next) << ToString(next.error());
  image_ = *next;
  push_(image_);
}

BrokerEpoch SimController::Register(NodeId broker, uint64_t incarnation) {
  controller::v1::RegisterRequest request;
  request.set_cluster_id("sim");
  request.set_broker_id(broker);
  request.set_incarnation_id(MakeUuid(incarnation, 1).ToBytes());
  request.add_directory_ids(
      MakeUuid(static_cast<uint64_t>(broker), 2).ToBytes());
  request.set_previous_broker_epoch(-1);
  auto* endpoint = request.add_endpoints();
  endpoint->set_name("PLAINTEXT");
  endpoint->set_host("sim");
  endpoint->set_port(static_cast<uint32_t>(broker));
  auto decision =
      controller::DecideRegister(*image_, request, false, settings_);
  CHECK_EQ(decision.response.error().code(), 0)
      << decision.response.error().message();
  Commit(decision.records);
  heard_[broker] = world_.now();
  return image_->FindBroker(broker)->epoch;
}

void SimController::CreateTopic(const std::string& name,
                                std::vector<NodeId> replicas) {
  controller::Records records(2);
  records[0].mutable_add_topic()->set_name(name);
  records[0].mutable_add_topic()->set_topic_id(topic_id_.ToBytes());
  auto* partition = records[1].mutable_add_partition();
  partition->set_topic_id(topic_id_.ToBytes());
  partition->mutable_replicas()->Add(replicas.begin(), replicas.end());
  partition->mutable_isr()->Add(replicas.begin(), replicas.end());
  partition->set_leader(replicas[0]);
  Commit(records);
}

void SimController::Heartbeat(NodeId broker, BrokerEpoch epoch,
                              MetadataOffset applied) {
  controller::v1::HeartbeatRequest request;
  request.set_broker_id(broker);
  request.set_broker_epoch(epoch);
  request.set_metadata_offset(applied);
  auto decision = controller::DecideHeartbeat(*image_, request, {}, settings_);
  if (decision.response.error().code() != 0) return;
  heard_[broker] = world_.now();
  Commit(decision.records);
}

controller::v1::AlterPartitionResponse SimController::AlterPartition(
    const controller::v1::AlterPartitionRequest& request) {
  auto decision = controller::DecideAlterPartition(*image_, request, settings_);
  Commit(decision.records);
  return decision.response;
}

void SimController::CheckSessions() {
  for (const auto& [broker, heard] : heard_) {
    const auto* row = image_->FindBroker(broker);
    if (row == nullptr || row->fenced || world_.now() - heard <= kSession) {
      continue;
    }
    Commit(controller::DecideFence(*image_, broker, settings_));
  }
  world_.After(std::chrono::milliseconds(100), [this] { CheckSessions(); });
}

}  // namespace tidemark::replication
