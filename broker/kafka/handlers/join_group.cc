#include "common/kafka/messages/join_group.h"

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {
namespace {

constexpr int16_t kFirstWithRebalanceTimeout = 1;
constexpr int16_t kFirstWithRequiredMemberId = 4;
constexpr int16_t kFirstWithNullableProtocol = 7;
constexpr int16_t kFirstWithSkipAssignment = 9;

coordinator::JoinRequest FromKafka(const RequestContext& context,
                                   kafka::JoinGroupRequest request) {
  const bool own_timeout = context.version >= kFirstWithRebalanceTimeout &&
                           request.rebalance_timeout_ms >= 0;
  coordinator::JoinRequest out{
      .group_id = std::move(request.group_id),
      .member_id = std::move(request.member_id),
      .instance_id = std::move(request.group_instance_id),
      .client_id = context.client_id,
      .client_host = context.client_host,
      .session_timeout_ms = request.session_timeout_ms,
      .rebalance_timeout_ms = own_timeout ? request.rebalance_timeout_ms
                                          : request.session_timeout_ms,
      .protocol_type = std::move(request.protocol_type),
      .member_id_required = context.version >= kFirstWithRequiredMemberId,
      .can_skip_assignment = context.version >= kFirstWithSkipAssignment};
  for (auto& p : request.protocols)
    out.protocols.push_back(
        {std::move(p.name), std::string(p.metadata.view())});
  return out;
}

kafka::JoinGroupResponse ToKafka(int16_t version,
                                 coordinator::JoinResult result) {
  kafka::JoinGroupResponse out{.error_code = ErrorField(result.error),
                               .generation_id = result.generation,
                               .protocol_type = std::move(result.protocol_type),
                               .protocol_name = std::move(result.protocol_name),
                               .leader = std::move(result.leader),
                               .skip_assignment = result.skip_assignment,
                               .member_id = std::move(result.member_id)};
  if (version < kFirstWithNullableProtocol && !out.protocol_name)
    out.protocol_name = "";
  for (auto& m : result.members) {
    out.members.push_back({.member_id = std::move(m.id),
                           .group_instance_id = std::move(m.instance_id),
                           .metadata = SharedBytes(std::move(m.metadata))});
  }
  return out;
}

}  // namespace

void HandleJoinGroup(RequestContext context, kafka::JoinGroupRequest request,
                     Reply<kafka::JoinGroupResponse> reply) {
  context.services->groups->Join(
      FromKafka(context, std::move(request)),
      [version = context.version,
       reply = std::move(reply)](coordinator::JoinResult result) {
        reply(ToKafka(version, std::move(result)));
      });
}

}  // namespace tidemark::server
