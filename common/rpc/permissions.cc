#include "common/rpc/permissions.h"

#include <grpcpp/server_context.h>

#include <algorithm>
#include <string>

namespace tidemark::rpc {
namespace {

constexpr unsigned kControllers = static_cast<unsigned>(tls::Role::kController);
constexpr unsigned kBrokers = static_cast<unsigned>(tls::Role::kBroker);
constexpr unsigned kAdmins = static_cast<unsigned>(tls::Role::kAdmin);
// Brokers pass on what they have checked the rights of; controllers pass it on
// to the one that leads.
constexpr unsigned kPassedOn = kAdmins | kBrokers | kControllers;

constexpr Permission kPermissions[] = {
    {"RaftPeer/Send", kControllers},
    {"BrokerLifecycle/Register", kBrokers},
    {"BrokerLifecycle/Heartbeat", kBrokers},
    {"BrokerLifecycle/AlterPartition", kBrokers},
    {"BrokerLifecycle/AssignReplicas", kBrokers},
    {"BrokerLifecycle/AllocateProducerIds", kBrokers},
    {"BrokerLifecycle/Subscribe", kBrokers},
    {"Admin/CreateTopics", kPassedOn},
    {"Admin/DeleteTopics", kPassedOn},
    {"Admin/CreatePartitions", kPassedOn},
    {"Admin/AlterConfigs", kPassedOn},
    {"Admin/ElectLeaders", kPassedOn},
    {"Admin/AlterPartitionReassignments", kPassedOn},
    {"Admin/ListPartitionReassignments", kPassedOn},
    {"Admin/UnregisterBroker", kPassedOn},
    {"Admin/CreateAcls", kPassedOn},
    {"Admin/DeleteAcls", kPassedOn},
    {"Admin/AlterScramCredentials", kPassedOn},
    {"Admin/UpdateFeatures", kPassedOn},
    {"Admin/DescribeQuorum", kPassedOn},
    // A controller that joins asks for itself.
    {"Admin/ChangeQuorum", kPassedOn},
    {"Admin/DescribeTopics", kAdmins | kControllers},
    {"Admin/DescribeConfigs", kAdmins | kControllers},
    {"Admin/DescribeCluster", kAdmins | kControllers},
    {"Admin/ListConfigResources", kAdmins | kControllers},
    {"Admin/DescribeFeatures", kAdmins | kControllers},
    {"Admin/DescribeAcls", kAdmins | kControllers},
    {"Admin/DescribeScramCredentials", kAdmins | kControllers},
    {"Backup/Save", kAdmins},
};

std::string NamesOf(unsigned roles, std::optional<NodeId> id) {
  std::string names;
  for (const auto role :
       {tls::Role::kController, tls::Role::kBroker, tls::Role::kAdmin}) {
    if ((roles & static_cast<unsigned>(role)) == 0) continue;
    names += (names.empty() ? "" : " or ") + std::string(ToString(role));
    if (id) names += ' ' + std::to_string(*id);
  }
  return names.empty() ? "nobody" : names;
}

}  // namespace

std::span<const Permission> Permissions() { return kPermissions; }

Status CheckHolder(const tls::Holder& holder, std::string_view call,
                   std::optional<NodeId> id) {
  const auto found = std::ranges::find(kPermissions, call, &Permission::call);
  const unsigned roles = found == std::end(kPermissions) ? 0 : found->roles;
  for (const tls::Holder::Place& place : holder.places) {
    if ((roles & static_cast<unsigned>(place.role)) == 0) continue;
    if (!id || (*id >= 0 && place.id == *id)) return {};
  }
  return Fail(ErrorCode::kClusterAuthorizationFailed,
              std::string(call) + " is for " + NamesOf(roles, id) +
                  ": the certificate is of " + holder.Describe());
}

Status CheckCaller(const Security* security,
                   const grpc::ServerContextBase& context,
                   std::string_view call, std::optional<NodeId> id) {
  if (security == nullptr) return {};
  return CheckHolder(security->CallerOf(*context.auth_context()), call, id);
}

}  // namespace tidemark::rpc
