#include "common/kafka/messages/describe_quorum.h"

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/controller_client.h"

namespace tidemark::server {
namespace {

using Request = kafka::DescribeQuorumRequest;
using Response = kafka::DescribeQuorumResponse;
using Quorum = admin::v1::DescribeQuorumResponse;
using Members = google::protobuf::RepeatedPtrField<Quorum::Voter>;

constexpr char kLog[] = "__cluster_metadata";
constexpr char kListener[] = "CONTROLLER";
constexpr int32_t kTimeoutMs = 10'000;

std::vector<Response::ReplicaState> StatesOf(const Members& members,
                                             const Quorum& quorum,
                                             int64_t now_ms) {
  std::vector<Response::ReplicaState> states;
  for (const auto& member : members) {
    auto& state = states.emplace_back();
    state.replica_id = member.id();
    if (const auto id = Uuid::FromBytes(member.directory_id())) {
      state.replica_directory_id = *id;
    }
    state.log_end_offset = member.match_offset();
    // When it was heard of is known as far as that it was of late.
    if (!member.active() && member.id() != quorum.leader()) continue;
    state.last_fetch_timestamp = now_ms;
    if (member.match_offset() >= quorum.committed_offset()) {
      state.last_caught_up_timestamp = now_ms;
    }
  }
  return states;
}

Response::PartitionData Describe(int32_t index, const Quorum& quorum,
                                 int64_t now_ms) {
  Response::PartitionData partition;
  partition.partition_index = index;
  if (index != 0) {
    partition.error_code = Code(ErrorCode::kUnknownTopicOrPartition);
    return partition;
  }
  partition.leader_id = quorum.leader();
  partition.leader_epoch = static_cast<int32_t>(quorum.epoch());
  partition.high_watermark = quorum.committed_offset();
  partition.current_voters = StatesOf(quorum.voters(), quorum, now_ms);
  partition.observers = StatesOf(quorum.learners(), quorum, now_ms);
  return partition;
}

Response Answer(const Request& request, const Quorum& quorum, int64_t now_ms) {
  Response response;
  for (const auto& topic : request.topics) {
    auto& to = response.topics.emplace_back();
    to.topic_name = topic.topic_name;
    for (const auto& partition : topic.partitions) {
      if (topic.topic_name == kLog) {
        to.partitions.push_back(
            Describe(partition.partition_index, quorum, now_ms));
        continue;
      }
      auto& unknown = to.partitions.emplace_back();
      unknown.partition_index = partition.partition_index;
      unknown.error_code = Code(ErrorCode::kUnknownTopicOrPartition);
    }
  }
  for (const Members* members : {&quorum.voters(), &quorum.learners()}) {
    for (const auto& member : *members) {
      response.nodes.push_back(
          {member.id(),
           {{kListener, member.host(), static_cast<int16_t>(member.port())}}});
    }
  }
  return response;
}

}  // namespace

void HandleDescribeQuorum(RequestContext context, Request request,
                          Reply<Response> reply) {
  // The answer is as long as what is asked for, times all members.
  size_t asked = 0;
  for (const auto& topic : request.topics) asked += topic.partitions.size();
  if (asked > 1) {
    Response response;
    response.error_code = Code(ErrorCode::kInvalidRequest);
    response.error_message = "there is one log: ask for one partition";
    return reply(std::move(response));
  }
  auto* controller = context.services->controller;
  Executor* on = context.executor;
  controller->DescribeQuorum(
      admin::v1::DescribeQuorumRequest(), AdminTimeout(kTimeoutMs),
      [on, request = std::move(request),
       reply = std::move(reply)](Result<Quorum> quorum) {
        on->Post([on, request, reply, quorum = std::move(quorum)] {
          if (quorum) return reply(Answer(request, *quorum, on->WallMs()));
          Response response;
          response.error_code = Code(quorum.error().code);
          response.error_message = NullableMessage(quorum.error().message);
          reply(std::move(response));
        });
      });
}

}  // namespace tidemark::server
