#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "controller/cli/tls_options.h"
#include "proto/admin.pb.h"

namespace tidemark::cli {

struct Context;

// Asks the controllers. Any of them takes any call; one that does not answer
// is passed over for the next, round and round until the timeout: all calls
// are safe to retry. Blocking; one thread.
class AdminClient {
 public:
  // As the command line says.
  explicit AdminClient(const Context& context);
  // Of these controllers: host:port,... With files of TLS that are of no use
  // every call is an error.
  AdminClient(const std::string& controllers, int64_t timeout_ms,
              const TlsOptions& tls);
  ~AdminClient();

  Result<admin::v1::CreateTopicsResponse> Call(
      const admin::v1::CreateTopicsRequest& request);
  Result<admin::v1::DeleteTopicsResponse> Call(
      const admin::v1::DeleteTopicsRequest& request);
  Result<admin::v1::CreatePartitionsResponse> Call(
      const admin::v1::CreatePartitionsRequest& request);
  Result<admin::v1::DescribeTopicsResponse> Call(
      const admin::v1::DescribeTopicsRequest& request);
  Result<admin::v1::AlterConfigsResponse> Call(
      const admin::v1::AlterConfigsRequest& request);
  Result<admin::v1::DescribeConfigsResponse> Call(
      const admin::v1::DescribeConfigsRequest& request);
  Result<admin::v1::DescribeClusterResponse> Call(
      const admin::v1::DescribeClusterRequest& request);
  Result<admin::v1::DescribeQuorumResponse> Call(
      const admin::v1::DescribeQuorumRequest& request);
  Result<admin::v1::ChangeQuorumResponse> Call(
      const admin::v1::ChangeQuorumRequest& request);
  Result<admin::v1::DescribeFeaturesResponse> Call(
      const admin::v1::DescribeFeaturesRequest& request);
  Result<admin::v1::UpdateFeaturesResponse> Call(
      const admin::v1::UpdateFeaturesRequest& request);
  Result<admin::v1::AlterScramCredentialsResponse> Call(
      const admin::v1::AlterScramCredentialsRequest& request);
  Result<admin::v1::DescribeScramCredentialsResponse> Call(
      const admin::v1::DescribeScramCredentialsRequest& request);
  Result<admin::v1::ElectLeadersResponse> Call(
      const admin::v1::ElectLeadersRequest& request);
  Result<admin::v1::UnregisterBrokerResponse> Call(
      const admin::v1::UnregisterBrokerRequest& request);
  Result<admin::v1::CreateAclsResponse> Call(
      const admin::v1::CreateAclsRequest& request);
  Result<admin::v1::DeleteAclsResponse> Call(
      const admin::v1::DeleteAclsRequest& request);
  Result<admin::v1::DescribeAclsResponse> Call(
      const admin::v1::DescribeAclsRequest& request);
  Result<admin::v1::AlterPartitionReassignmentsResponse> Call(
      const admin::v1::AlterPartitionReassignmentsRequest& request);
  Result<admin::v1::ListPartitionReassignmentsResponse> Call(
      const admin::v1::ListPartitionReassignmentsRequest& request);
  Result<admin::v1::ListConfigResourcesResponse> Call(
      const admin::v1::ListConfigResourcesRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark::cli
