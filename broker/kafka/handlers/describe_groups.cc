#include "common/kafka/messages/describe_groups.h"

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {
namespace {

constexpr int16_t kFirstWithNotFound = 6;
// No authorizer: READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS in
// Kafka's bits of AclOperation.
constexpr int32_t kAllGroupOperations =
    1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

using Described = kafka::DescribeGroupsResponse::DescribedGroup;

Described ToKafka(int16_t version, bool with_operations, std::string group_id,
                  coordinator::GroupDescription group) {
  Described out{.group_id = std::move(group_id)};
  if (group.error == ErrorCode::kGroupIdNotFound) {
    out.group_state = "Dead";
    if (version >= kFirstWithNotFound) {
      out.error_code = ErrorField(group.error);
      out.error_message = "Group " + out.group_id + " not found.";
      return out;
    }
  } else if (group.error != ErrorCode::kNone) {
    out.error_code = ErrorField(group.error);
    return out;
  } else {
    out.group_state = std::move(group.state);
  }
  if (with_operations) out.authorized_operations = kAllGroupOperations;
  out.protocol_type = std::move(group.protocol_type);
  out.protocol_data = std::move(group.protocol);
  for (auto& m : group.members) {
    out.members.push_back(
        {.member_id = std::move(m.id),
         .group_instance_id = std::move(m.instance_id),
         .client_id = std::move(m.client_id),
         .client_host = std::move(m.client_host),
         .member_metadata = SharedBytes(std::move(m.metadata)),
         .member_assignment = SharedBytes(std::move(m.assignment))});
  }
  return out;
}

}  // namespace

void HandleDescribeGroups(RequestContext context,
                          kafka::DescribeGroupsRequest request,
                          Reply<kafka::DescribeGroupsResponse> reply) {
  using Result = coordinator::GroupDescription;
  if (request.groups.size() > kMaxGroupsInARequest) return;
  std::vector<std::string> ids = Distinct(std::move(request.groups));
  const size_t count = ids.size();
  auto answer = [version = context.version,
                 with_operations = request.include_authorized_operations, ids,
                 reply = std::move(reply)](std::vector<Result> results) {
    kafka::DescribeGroupsResponse response;
    for (size_t i = 0; i < ids.size(); ++i)
      response.groups.push_back(
          ToKafka(version, with_operations, ids[i], std::move(results[i])));
    reply(std::move(response));
  };
  Gather<Result>::Run(
      count, std::move(answer),
      [groups = context.services->groups, ids = std::move(ids)](
          size_t i, auto done) { groups->Describe(ids[i], std::move(done)); });
}

}  // namespace tidemark::server
