// Guards of what changes the cluster, where its answer has a place for each
// thing asked; and of settings.
#include <set>
#include <string>

#include "broker/kafka/handlers/guards.h"
#include "common/kafka/messages/alter_configs.h"
#include "common/kafka/messages/alter_partition_reassignments.h"
#include "common/kafka/messages/alter_replica_log_dirs.h"
#include "common/kafka/messages/alter_user_scram_credentials.h"
#include "common/kafka/messages/create_acls.h"
#include "common/kafka/messages/delete_acls.h"
#include "common/kafka/messages/describe_configs.h"
#include "common/kafka/messages/elect_leaders.h"
#include "common/kafka/messages/incremental_alter_configs.h"
#include "common/metadata/configs_image.h"

namespace tidemark::server {
namespace {

using enum AclOperation;

constexpr char kClusterMessage[] = "Cluster authorization failed.";
// Kafka's type of the loggers of a broker.
constexpr int8_t kBrokerLogger = 8;

// Settings of topics and groups are theirs; those of brokers and of clients'
// metrics are the cluster's. What has no settings is for the handler to refuse.
ErrorCode CheckConfigs(const Rights& rights, AclOperation operation,
                       int8_t type, const std::string& name) {
  switch (static_cast<metadata::ResourceType>(type)) {
    case metadata::ResourceType::kTopic:
      return rights.MayTopic(operation, name) ? ErrorCode::kNone
                                              : kNotThisTopic;
    case metadata::ResourceType::kGroup:
      return rights.MayGroup(operation, name) ? ErrorCode::kNone
                                              : kNotThisGroup;
    case metadata::ResourceType::kBroker:
    case metadata::ResourceType::kClientMetrics:
      return rights.MayCluster(operation) ? ErrorCode::kNone : kNotThisCluster;
  }
  if (type != kBrokerLogger) return ErrorCode::kNone;
  return rights.MayCluster(operation) ? ErrorCode::kNone : kNotThisCluster;
}

ErrorCode RefusalOf(int8_t type) {
  switch (static_cast<metadata::ResourceType>(type)) {
    case metadata::ResourceType::kTopic:
      return kNotThisTopic;
    case metadata::ResourceType::kGroup:
      return kNotThisGroup;
    default:
      return kNotThisCluster;
  }
}

std::string MessageOf(ErrorCode error) {
  return error == kNotThisTopic   ? "Topic authorization failed."
         : error == kNotThisGroup ? "Group authorization failed."
                                  : kClusterMessage;
}

template <class Answer, class Resource>
Answer RefusedConfigs(const Resource& resource) {
  Answer out;
  const ErrorCode error = RefusalOf(resource.resource_type);
  out.error_code = Code(error);
  out.error_message = MessageOf(error);
  out.resource_type = resource.resource_type;
  out.resource_name = resource.resource_name;
  return out;
}

}  // namespace

void GuardDescribeConfigs(RequestContext context,
                          kafka::DescribeConfigsRequest request,
                          Reply<kafka::DescribeConfigsResponse> reply) {
  using Response = kafka::DescribeConfigsResponse;
  const auto rights = context.rights;
  PassAllowed(
      &HandleDescribeConfigs, std::move(context), std::move(request),
      std::move(reply), &kafka::DescribeConfigsRequest::resources,
      &Response::results,
      [&](const auto& resource) {
        return CheckConfigs(*rights, kDescribeConfigs, resource.resource_type,
                            resource.resource_name) == ErrorCode::kNone;
      },
      [](const auto& resource) {
        return RefusedConfigs<Response::DescribeConfigsResult>(resource);
      });
}

void GuardAlterConfigs(RequestContext context,
                       kafka::AlterConfigsRequest request,
                       Reply<kafka::AlterConfigsResponse> reply) {
  using Response = kafka::AlterConfigsResponse;
  const auto rights = context.rights;
  PassAllowed(
      &HandleAlterConfigs, std::move(context), std::move(request),
      std::move(reply), &kafka::AlterConfigsRequest::resources,
      &Response::responses,
      [&](const auto& resource) {
        return CheckConfigs(*rights, kAlterConfigs, resource.resource_type,
                            resource.resource_name) == ErrorCode::kNone;
      },
      [](const auto& resource) {
        return RefusedConfigs<Response::AlterConfigsResourceResponse>(resource);
      });
}

void GuardIncrementalAlterConfigs(
    RequestContext context, kafka::IncrementalAlterConfigsRequest request,
    Reply<kafka::IncrementalAlterConfigsResponse> reply) {
  using Response = kafka::IncrementalAlterConfigsResponse;
  const auto rights = context.rights;
  PassAllowed(
      &HandleIncrementalAlterConfigs, std::move(context), std::move(request),
      std::move(reply), &kafka::IncrementalAlterConfigsRequest::resources,
      &Response::responses,
      [&](const auto& resource) {
        return CheckConfigs(*rights, kAlterConfigs, resource.resource_type,
                            resource.resource_name) == ErrorCode::kNone;
      },
      [](const auto& resource) {
        return RefusedConfigs<Response::AlterConfigsResourceResponse>(resource);
      });
}

void GuardAlterReplicaLogDirs(RequestContext context,
                              kafka::AlterReplicaLogDirsRequest request,
                              Reply<kafka::AlterReplicaLogDirsResponse> reply) {
  if (context.rights->MayCluster(kAlter)) {
    return HandleAlterReplicaLogDirs(std::move(context), std::move(request),
                                     std::move(reply));
  }
  kafka::AlterReplicaLogDirsResponse response;
  for (const auto& dir : request.dirs) {
    for (const auto& topic : dir.topics) {
      auto& to = response.results.emplace_back();
      to.topic_name = topic.name;
      for (const PartitionIndex index : topic.partitions) {
        to.partitions.push_back({index, Code(kNotThisCluster)});
      }
    }
  }
  reply(std::move(response));
}

void GuardElectLeaders(RequestContext context,
                       kafka::ElectLeadersRequest request,
                       Reply<kafka::ElectLeadersResponse> reply) {
  if (context.rights->MayCluster(kAlter)) {
    return HandleElectLeaders(std::move(context), std::move(request),
                              std::move(reply));
  }
  kafka::ElectLeadersResponse response;
  response.error_code = Code(kNotThisCluster);
  if (request.topic_partitions) {
    for (const auto& topic : *request.topic_partitions) {
      auto& to = response.replica_election_results.emplace_back();
      to.topic = topic.topic;
      for (const PartitionIndex index : topic.partitions) {
        to.partition_result.push_back(
            {index, Code(kNotThisCluster), kClusterMessage});
      }
    }
  }
  reply(std::move(response));
}

void GuardAlterPartitionReassignments(
    RequestContext context, kafka::AlterPartitionReassignmentsRequest request,
    Reply<kafka::AlterPartitionReassignmentsResponse> reply) {
  if (context.rights->MayCluster(kAlter)) {
    return HandleAlterPartitionReassignments(
        std::move(context), std::move(request), std::move(reply));
  }
  kafka::AlterPartitionReassignmentsResponse response;
  response.error_code = Code(kNotThisCluster);
  response.error_message = kClusterMessage;
  for (const auto& topic : request.topics) {
    auto& to = response.responses.emplace_back();
    to.name = topic.name;
    for (const auto& partition : topic.partitions) {
      to.partitions.push_back(
          {partition.partition_index, Code(kNotThisCluster), kClusterMessage});
    }
  }
  reply(std::move(response));
}

void GuardCreateAcls(RequestContext context, kafka::CreateAclsRequest request,
                     Reply<kafka::CreateAclsResponse> reply) {
  if (context.rights->MayCluster(kAlter)) {
    return HandleCreateAcls(std::move(context), std::move(request),
                            std::move(reply));
  }
  kafka::CreateAclsResponse response;
  response.results.assign(request.creations.size(),
                          {Code(kNotThisCluster), kClusterMessage});
  reply(std::move(response));
}

void GuardAlterUserScramCredentials(
    RequestContext context, kafka::AlterUserScramCredentialsRequest request,
    Reply<kafka::AlterUserScramCredentialsResponse> reply) {
  if (context.rights->MayCluster(kAlter)) {
    return HandleAlterUserScramCredentials(
        std::move(context), std::move(request), std::move(reply));
  }
  kafka::AlterUserScramCredentialsResponse response;
  std::set<std::string> users;
  for (const auto& deletion : request.deletions) users.insert(deletion.name);
  for (const auto& upsertion : request.upsertions) users.insert(upsertion.name);
  for (const std::string& user : users) {
    response.results.push_back({user, Code(kNotThisCluster), kClusterMessage});
  }
  reply(std::move(response));
}

void GuardDeleteAcls(RequestContext context, kafka::DeleteAclsRequest request,
                     Reply<kafka::DeleteAclsResponse> reply) {
  if (context.rights->MayCluster(kAlter)) {
    return HandleDeleteAcls(std::move(context), std::move(request),
                            std::move(reply));
  }
  kafka::DeleteAclsResponse response;
  response.filter_results.assign(request.filters.size(),
                                 {Code(kNotThisCluster), kClusterMessage, {}});
  reply(std::move(response));
}

}  // namespace tidemark::server
