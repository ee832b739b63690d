// Guards of what is about groups and their offsets.
#include <map>
#include <memory>
#include <optional>

#include "broker/kafka/handlers/guards.h"
#include "common/kafka/messages/delete_groups.h"
#include "common/kafka/messages/describe_groups.h"
#include "common/kafka/messages/find_coordinator.h"
#include "common/kafka/messages/heartbeat.h"
#include "common/kafka/messages/join_group.h"
#include "common/kafka/messages/leave_group.h"
#include "common/kafka/messages/list_groups.h"
#include "common/kafka/messages/offset_commit.h"
#include "common/kafka/messages/offset_delete.h"
#include "common/kafka/messages/offset_fetch.h"
#include "common/kafka/messages/sync_group.h"

namespace tidemark::server {
namespace {

using enum AclOperation;

constexpr int8_t kGroupKey = 0;
constexpr int8_t kTransactionKey = 1;

// Members read for their group.
template <class Request, class Response>
void GuardMember(void (*handler)(RequestContext, Request, Reply<Response>),
                 RequestContext context, Request request,
                 Reply<Response> reply) {
  if (!context.rights->MayGroup(kRead, request.group_id)) {
    Response response;
    response.error_code = Code(kNotThisGroup);
    return reply(std::move(response));
  }
  handler(std::move(context), std::move(request), std::move(reply));
}

template <class Answer, class Topic>
Answer RefusedTopic(const Topic& topic, ErrorCode error) {
  Answer out;
  out.name = topic.name;
  for (const auto& asked : topic.partitions) {
    auto& partition = out.partitions.emplace_back();
    partition.partition_index = asked.partition_index;
    partition.error_code = Code(error);
  }
  return out;
}

// Of groups that were asked for by name.
ErrorCode CheckKey(const Rights& rights, int8_t type, const std::string& key) {
  if (type == kGroupKey && !rights.MayGroup(kDescribe, key)) {
    return kNotThisGroup;
  }
  if (type == kTransactionKey && !rights.MayTransaction(kDescribe, key)) {
    return kNotThisTransaction;
  }
  return ErrorCode::kNone;
}

template <class Answer, class Topic>
Answer RefusedOffsets(const Topic& topic) {
  Answer out;
  out.name = topic.name;
  for (const int32_t index : topic.partition_indexes) {
    auto& partition = out.partitions.emplace_back();
    partition.partition_index = index;
    partition.committed_offset = -1;
    partition.metadata = "";
    partition.error_code = Code(kNotThisTopic);
  }
  return out;
}

// Takes the topics that may not be described out of what is asked, and says
// what is answered of them.
template <class Answer, class Topic>
std::vector<Answer> TakeOffsets(const Rights& rights,
                                std::optional<std::vector<Topic>>* topics) {
  std::vector<Answer> refused;
  if (!*topics) return refused;
  for (const Topic& topic : TakeDenied(&**topics, [&](const Topic& one) {
         return rights.MayTopic(kDescribe, one.name);
       })) {
    refused.push_back(RefusedOffsets<Answer>(topic));
  }
  return refused;
}

// Where all were asked for, those that may be described are all.
template <class Answer>
void HideTopics(const Rights& rights, std::vector<Answer>* topics) {
  std::erase_if(*topics, [&](const Answer& topic) {
    return !rights.MayTopic(kDescribe, topic.name, Rights::Audit::kNo);
  });
}

using OffsetsRequest = kafka::OffsetFetchRequest;
using OffsetsResponse = kafka::OffsetFetchResponse;

void GuardOffsetsOfOne(RequestContext context, OffsetsRequest request,
                       Reply<OffsetsResponse> reply) {
  constexpr int16_t kFirstWithGroupError = 2;
  using Answer = OffsetsResponse::OffsetFetchResponseTopic;
  const auto rights = context.rights;
  if (!rights->MayGroup(kDescribe, request.group_id)) {
    OffsetsResponse response;
    response.error_code = Code(kNotThisGroup);
    if (context.version < kFirstWithGroupError && request.topics) {
      for (const auto& topic : *request.topics) {
        auto& to = response.topics.emplace_back(RefusedOffsets<Answer>(topic));
        for (auto& p : to.partitions) p.error_code = Code(kNotThisGroup);
      }
    }
    return reply(std::move(response));
  }
  const bool all = !request.topics.has_value();
  auto refused = TakeOffsets<Answer>(*rights, &request.topics);
  HandleOffsetFetch(std::move(context), std::move(request),
                    [rights, all, refused = std::move(refused),
                     reply = std::move(reply)](OffsetsResponse response) {
                      if (all) HideTopics(*rights, &response.topics);
                      response.topics.insert(response.topics.end(),
                                             refused.begin(), refused.end());
                      reply(std::move(response));
                    });
}

void GuardOffsetsOfMany(RequestContext context, OffsetsRequest request,
                        Reply<OffsetsResponse> reply) {
  using Answer = OffsetsResponse::OffsetFetchResponseTopics;
  using Group = OffsetsResponse::OffsetFetchResponseGroup;
  struct Rest {
    bool all = false;
    std::vector<Answer> refused;
  };
  const auto rights = context.rights;
  std::vector<Group> no_groups;
  for (const auto& group : TakeDenied(&request.groups, [&](const auto& one) {
         return rights->MayGroup(kDescribe, one.group_id);
       })) {
    auto& to = no_groups.emplace_back();
    to.group_id = group.group_id;
    to.error_code = Code(kNotThisGroup);
  }
  std::map<std::string, Rest> rest;
  for (auto& group : request.groups) {
    // Of one that is named again the first counts.
    if (rest.contains(group.group_id)) continue;
    Rest& of = rest[group.group_id];
    of.all = !group.topics.has_value();
    of.refused = TakeOffsets<Answer>(*rights, &group.topics);
  }
  HandleOffsetFetch(
      std::move(context), std::move(request),
      [rights, rest = std::move(rest), no_groups = std::move(no_groups),
       reply = std::move(reply)](OffsetsResponse response) {
        for (auto& group : response.groups) {
          const Rest& of = rest.at(group.group_id);
          if (of.all) HideTopics(*rights, &group.topics);
          if (group.error_code != 0) continue;
          group.topics.insert(group.topics.end(), of.refused.begin(),
                              of.refused.end());
        }
        response.groups.insert(response.groups.end(), no_groups.begin(),
                               no_groups.end());
        reply(std::move(response));
      });
}

}  // namespace

void GuardJoinGroup(RequestContext context, kafka::JoinGroupRequest request,
                    Reply<kafka::JoinGroupResponse> reply) {
  GuardMember(&HandleJoinGroup, std::move(context), std::move(request),
              std::move(reply));
}

void GuardSyncGroup(RequestContext context, kafka::SyncGroupRequest request,
                    Reply<kafka::SyncGroupResponse> reply) {
  GuardMember(&HandleSyncGroup, std::move(context), std::move(request),
              std::move(reply));
}

void GuardHeartbeat(RequestContext context, kafka::HeartbeatRequest request,
                    Reply<kafka::HeartbeatResponse> reply) {
  GuardMember(&HandleHeartbeat, std::move(context), std::move(request),
              std::move(reply));
}

void GuardLeaveGroup(RequestContext context, kafka::LeaveGroupRequest request,
                     Reply<kafka::LeaveGroupResponse> reply) {
  GuardMember(&HandleLeaveGroup, std::move(context), std::move(request),
              std::move(reply));
}

void GuardFindCoordinator(RequestContext context,
                          kafka::FindCoordinatorRequest request,
                          Reply<kafka::FindCoordinatorResponse> reply) {
  constexpr int16_t kFirstBatched = 4;
  using Response = kafka::FindCoordinatorResponse;
  const auto rights = context.rights;
  const int8_t type = request.key_type;
  if (context.version < kFirstBatched) {
    const ErrorCode error = CheckKey(*rights, type, request.key);
    if (error == ErrorCode::kNone) {
      return HandleFindCoordinator(std::move(context), std::move(request),
                                   std::move(reply));
    }
    Response response;
    response.error_code = Code(error);
    response.node_id = -1;
    response.port = -1;
    return reply(std::move(response));
  }
  PassAllowed(
      &HandleFindCoordinator, std::move(context), std::move(request),
      std::move(reply), &kafka::FindCoordinatorRequest::coordinator_keys,
      &Response::coordinators,
      [&](const std::string& key) {
        return CheckKey(*rights, type, key) == ErrorCode::kNone;
      },
      [&](const std::string& key) {
        Response::Coordinator out;
        out.key = key;
        out.node_id = -1;
        out.port = -1;
        out.error_code =
            Code(type == kGroupKey ? kNotThisGroup : kNotThisTransaction);
        return out;
      });
}

void GuardDescribeGroups(RequestContext context,
                         kafka::DescribeGroupsRequest request,
                         Reply<kafka::DescribeGroupsResponse> reply) {
  using Response = kafka::DescribeGroupsResponse;
  const auto rights = context.rights;
  Reply<Response> with_operations =
      [rights, wanted = request.include_authorized_operations,
       reply = std::move(reply)](Response response) {
        for (auto& group : response.groups) {
          if (!wanted || group.authorized_operations == INT32_MIN) continue;
          group.authorized_operations =
              rights->Operations(AclResource::kGroup, group.group_id);
        }
        reply(std::move(response));
      };
  PassAllowed(
      &HandleDescribeGroups, std::move(context), std::move(request),
      std::move(with_operations), &kafka::DescribeGroupsRequest::groups,
      &Response::groups,
      [&](const std::string& id) { return rights->MayGroup(kDescribe, id); },
      [](const std::string& id) {
        Response::DescribedGroup out;
        out.group_id = id;
        out.error_code = Code(kNotThisGroup);
        return out;
      });
}

void GuardListGroups(RequestContext context, kafka::ListGroupsRequest request,
                     Reply<kafka::ListGroupsResponse> reply) {
  const auto rights = context.rights;
  if (rights->MayCluster(kDescribe, Rights::Audit::kNo)) {
    return HandleListGroups(std::move(context), std::move(request),
                            std::move(reply));
  }
  HandleListGroups(
      std::move(context), std::move(request),
      [rights, reply = std::move(reply)](kafka::ListGroupsResponse response) {
        std::erase_if(response.groups, [&](const auto& group) {
          return !rights->MayGroup(kDescribe, group.group_id,
                                   Rights::Audit::kNo);
        });
        reply(std::move(response));
      });
}

void GuardDeleteGroups(RequestContext context,
                       kafka::DeleteGroupsRequest request,
                       Reply<kafka::DeleteGroupsResponse> reply) {
  using Response = kafka::DeleteGroupsResponse;
  const auto rights = context.rights;
  PassAllowed(
      &HandleDeleteGroups, std::move(context), std::move(request),
      std::move(reply), &kafka::DeleteGroupsRequest::groups_names,
      &Response::results,
      [&](const std::string& id) { return rights->MayGroup(kDelete, id); },
      [](const std::string& id) {
        return Response::DeletableGroupResult{id, Code(kNotThisGroup)};
      });
}

void GuardOffsetCommit(RequestContext context,
                       kafka::OffsetCommitRequest request,
                       Reply<kafka::OffsetCommitResponse> reply) {
  using Response = kafka::OffsetCommitResponse;
  using Answer = Response::OffsetCommitResponseTopic;
  const auto rights = context.rights;
  if (!rights->MayGroup(kRead, request.group_id)) {
    Response response;
    RefuseAll(request.topics, &response.topics, [](const auto& topic) {
      return RefusedTopic<Answer>(topic, kNotThisGroup);
    });
    return reply(std::move(response));
  }
  PassAllowed(
      &HandleOffsetCommit, std::move(context), std::move(request),
      std::move(reply), &kafka::OffsetCommitRequest::topics, &Response::topics,
      [&](const auto& topic) { return rights->MayTopic(kRead, topic.name); },
      [](const auto& topic) {
        return RefusedTopic<Answer>(topic, kNotThisTopic);
      });
}

void GuardOffsetFetch(RequestContext context, OffsetsRequest request,
                      Reply<OffsetsResponse> reply) {
  constexpr int16_t kFirstBatched = 8;
  (context.version < kFirstBatched ? GuardOffsetsOfOne : GuardOffsetsOfMany)(
      std::move(context), std::move(request), std::move(reply));
}

void GuardOffsetDelete(RequestContext context,
                       kafka::OffsetDeleteRequest request,
                       Reply<kafka::OffsetDeleteResponse> reply) {
  using Response = kafka::OffsetDeleteResponse;
  using Answer = Response::OffsetDeleteResponseTopic;
  const auto rights = context.rights;
  if (!rights->MayGroup(kDelete, request.group_id)) {
    Response response;
    response.error_code = Code(kNotThisGroup);
    return reply(std::move(response));
  }
  PassAllowed(
      &HandleOffsetDelete, std::move(context), std::move(request),
      std::move(reply), &kafka::OffsetDeleteRequest::topics, &Response::topics,
      [&](const auto& topic) { return rights->MayTopic(kRead, topic.name); },
      [](const auto& topic) {
        return RefusedTopic<Answer>(topic, kNotThisTopic);
      });
}

}  // namespace tidemark::server
