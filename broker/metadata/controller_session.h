#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/metadata/controller_client.h"
#include "common/base/executor.h"
#include "common/base/uuid.h"
#include "common/metadata/image.h"

namespace tidemark {

class ControllerChannels;

struct SessionOptions {
  NodeId node_id = kNoNode;
  std::string cluster_id;
  Uuid incarnation;  // random, new with every process (C-08)
  std::string rack;
  std::vector<Uuid> directories;
  // Broker epoch of the last clean shutdown, -1 when it was not clean (C-03).
  BrokerEpoch previous_epoch = -1;
  Duration heartbeat_interval = std::chrono::milliseconds(500);
  // broker.session.timeout.ms, as the controllers have it.
  Duration session_timeout = std::chrono::seconds(2);
};

// This broker's standing with the controllers: registers, sends heartbeats,
// registers again when the controllers no longer know it (C-01..C-08), and
// carries the broker's other calls. Lives on `executor`; the methods of
// ControllerClient and those marked so are for any thread.
class ControllerSession final : public ControllerClient {
 public:
  struct Events {
    // All on the executor. The first two for every change.
    std::function<void(BrokerEpoch)> registered;
    std::function<void(bool fenced)> fenced;
    // No heartbeat sent within the last session time has been answered: by
    // now the controllers may have given this broker's partitions to others.
    // False: one has. For every change.
    std::function<void(bool silent)> silent;
    // The controllers will never take this broker, as it is, and why.
    std::function<void(Error)> refused;
  };

  // `executor` goes only after the channels were closed.
  ControllerSession(SessionOptions options,
                    std::shared_ptr<ControllerChannels> channels,
                    Executor& executor, Events events);
  ~ControllerSession() override;

  // Registers with these endpoints, and goes on from there. Once, any thread.
  void Start(std::vector<metadata::EndpointImage> endpoints);
  // Metadata up to here is in force on this broker. Any thread.
  void SetApplied(MetadataOffset offset);
  // From now on asks to be unfenced (C-08). Any thread.
  void SetReadyToUnfence();
  // The replicas in this directory are lost to this process (C-09). Any thread.
  void ReportOffline(metadata::OfflineDirectoryImage directory);
  // Brokers that nobody listens at, and such as do not answer fetches. The
  // controllers hear of a change at once. Any thread.
  void ReportPeers(std::vector<NodeId> refusing, std::vector<NodeId> silent);
  // A heartbeat now rather than at the next tick. Any thread.
  void Hurry();
  // Asks to hand over all leaderships (C-06); `done` runs once, on the
  // executor: with true when they are gone, with false when the controllers
  // have been silent for a session, so that nobody is there to take them. Any
  // thread.
  void RequestShutdown(std::function<void(bool handed_over)> done);
  // No further calls start; callbacks of those under way do nothing.
  void Stop();

  BrokerEpoch broker_epoch() const override;
  void AlterPartition(
      controller::v1::AlterPartitionRequest request,
      Done<controller::v1::AlterPartitionResponse> done) override;
  void AssignReplicas(
      controller::v1::AssignReplicasRequest request,
      Done<controller::v1::AssignReplicasResponse> done) override;
  void AllocateProducerIds(
      Done<controller::v1::AllocateProducerIdsResponse> done) override;
  void CreateTopics(admin::v1::CreateTopicsRequest request, Duration timeout,
                    Done<admin::v1::CreateTopicsResponse> done) override;
  void DeleteTopics(admin::v1::DeleteTopicsRequest request, Duration timeout,
                    Done<admin::v1::DeleteTopicsResponse> done) override;
  void CreatePartitions(
      admin::v1::CreatePartitionsRequest request, Duration timeout,
      Done<admin::v1::CreatePartitionsResponse> done) override;
  void AlterConfigs(admin::v1::AlterConfigsRequest request, Duration timeout,
                    Done<admin::v1::AlterConfigsResponse> done) override;
  void DescribeQuorum(admin::v1::DescribeQuorumRequest request,
                      Duration timeout,
                      Done<admin::v1::DescribeQuorumResponse> done) override;
  void ChangeQuorum(admin::v1::ChangeQuorumRequest request, Duration timeout,
                    Done<admin::v1::ChangeQuorumResponse> done) override;
  void UpdateFeatures(admin::v1::UpdateFeaturesRequest request,
                      Duration timeout,
                      Done<admin::v1::UpdateFeaturesResponse> done) override;
  void AlterScramCredentials(
      admin::v1::AlterScramCredentialsRequest request, Duration timeout,
      Done<admin::v1::AlterScramCredentialsResponse> done) override;
  void ElectLeaders(admin::v1::ElectLeadersRequest request, Duration timeout,
                    Done<admin::v1::ElectLeadersResponse> done) override;
  void CreateAcls(admin::v1::CreateAclsRequest request, Duration timeout,
                  Done<admin::v1::CreateAclsResponse> done) override;
  void DeleteAcls(admin::v1::DeleteAclsRequest request, Duration timeout,
                  Done<admin::v1::DeleteAclsResponse> done) override;
  void UnregisterBroker(
      admin::v1::UnregisterBrokerRequest request, Duration timeout,
      Done<admin::v1::UnregisterBrokerResponse> done) override;
  void AlterPartitionReassignments(
      admin::v1::AlterPartitionReassignmentsRequest request, Duration timeout,
      Done<admin::v1::AlterPartitionReassignmentsResponse> done) override;
  void ListPartitionReassignments(
      admin::v1::ListPartitionReassignmentsRequest request, Duration timeout,
      Done<admin::v1::ListPartitionReassignmentsResponse> done) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tidemark
