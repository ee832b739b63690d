#pragma once

#include <functional>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "proto/admin.pb.h"
#include "proto/controller.pb.h"

namespace tidemark {

// This broker's calls to the controllers. Any thread; every `done` runs once,
// on a thread of gRPC (post to your executor). Finds the active controller by
// itself. Errors: kRequestTimedOut when the deadline passed (outcome
// unknown), otherwise what the controller answered.
class ControllerClient {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  virtual ~ControllerClient() = default;

  // -1 before the first registration.
  virtual BrokerEpoch broker_epoch() const = 0;

  // Fills in broker id and epoch.
  virtual void AlterPartition(
      controller::v1::AlterPartitionRequest request,
      Done<controller::v1::AlterPartitionResponse> done) = 0;
  // Where replicas of this broker are (KIP-858). Fills in broker id and epoch.
  virtual void AssignReplicas(
      controller::v1::AssignReplicasRequest request,
      Done<controller::v1::AssignReplicasResponse> done) = 0;
  virtual void AllocateProducerIds(
      Done<controller::v1::AllocateProducerIdsResponse> done) = 0;

  virtual void CreateTopics(admin::v1::CreateTopicsRequest request,
                            Duration timeout,
                            Done<admin::v1::CreateTopicsResponse> done) = 0;
  virtual void DeleteTopics(admin::v1::DeleteTopicsRequest request,
                            Duration timeout,
                            Done<admin::v1::DeleteTopicsResponse> done) = 0;
  virtual void CreatePartitions(
      admin::v1::CreatePartitionsRequest request, Duration timeout,
      Done<admin::v1::CreatePartitionsResponse> done) = 0;
  virtual void AlterConfigs(admin::v1::AlterConfigsRequest request,
                            Duration timeout,
                            Done<admin::v1::AlterConfigsResponse> done) = 0;
  virtual void DescribeQuorum(admin::v1::DescribeQuorumRequest request,
                              Duration timeout,
                              Done<admin::v1::DescribeQuorumResponse> done) = 0;
  virtual void ChangeQuorum(admin::v1::ChangeQuorumRequest request,
                            Duration timeout,
                            Done<admin::v1::ChangeQuorumResponse> done) = 0;
  virtual void UpdateFeatures(admin::v1::UpdateFeaturesRequest request,
                              Duration timeout,
                              Done<admin::v1::UpdateFeaturesResponse> done) = 0;
  virtual void AlterScramCredentials(
      admin::v1::AlterScramCredentialsRequest request, Duration timeout,
      Done<admin::v1::AlterScramCredentialsResponse> done) = 0;
  virtual void ElectLeaders(admin::v1::ElectLeadersRequest request,
                            Duration timeout,
                            Done<admin::v1::ElectLeadersResponse> done) = 0;
  virtual void UnregisterBroker(
      admin::v1::UnregisterBrokerRequest request, Duration timeout,
      Done<admin::v1::UnregisterBrokerResponse> done) = 0;
  virtual void CreateAcls(admin::v1::CreateAclsRequest request,
                          Duration timeout,
                          Done<admin::v1::CreateAclsResponse> done) = 0;
  virtual void DeleteAcls(admin::v1::DeleteAclsRequest request,
                          Duration timeout,
                          Done<admin::v1::DeleteAclsResponse> done) = 0;
  virtual void AlterPartitionReassignments(
      admin::v1::AlterPartitionReassignmentsRequest request, Duration timeout,
      Done<admin::v1::AlterPartitionReassignmentsResponse> done) = 0;
  virtual void ListPartitionReassignments(
      admin::v1::ListPartitionReassignmentsRequest request, Duration timeout,
      Done<admin::v1::ListPartitionReassignmentsResponse> done) = 0;
};

}  // namespace tidemark
