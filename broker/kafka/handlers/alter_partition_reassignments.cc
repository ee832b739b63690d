#include "common/kafka/messages/alter_partition_reassignments.h"

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/controller_client.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

using Request = kafka::AlterPartitionReassignmentsRequest;
using Response = kafka::AlterPartitionReassignmentsResponse;
using Ask = admin::v1::AlterPartitionReassignmentsRequest;
using Answer = admin::v1::AlterPartitionReassignmentsResponse;

Ask ToAsk(const Request& request) {
  Ask ask;
  ask.set_keep_replication_factor(!request.allow_replication_factor_change);
  for (const auto& topic : request.topics) {
    if (!IsUtf8(topic.name)) continue;  // the controllers refuse it whole
    for (const auto& partition : topic.partitions) {
      auto* to = ask.add_partitions();
      to->set_topic(topic.name);
      to->set_partition(partition.partition_index);
      if (!partition.replicas) continue;
      to->mutable_replicas()->mutable_broker_ids()->Add(
          partition.replicas->begin(), partition.replicas->end());
    }
  }
  return ask;
}

// The answers come in the order of what was asked.
Response ToResponse(const Request& request, const Result<Answer>& answer) {
  Response response;
  response.allow_replication_factor_change =
      request.allow_replication_factor_change;
  if (!answer) {
    response.error_code = Code(answer.error().code);
    response.error_message = NullableMessage(answer.error().message);
    return response;
  }
  int next = 0;
  for (const auto& topic : request.topics) {
    auto& to = response.responses.emplace_back();
    to.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& result = to.partitions.emplace_back();
      result.partition_index = partition.partition_index;
      if (!IsUtf8(topic.name)) {
        result.error_code = Code(ErrorCode::kUnknownTopicOrPartition);
      } else if (next < answer->partitions_size()) {
        const auto& outcome = answer->partitions(next++);
        result.error_code = static_cast<int16_t>(outcome.code());
        result.error_message = NullableMessage(outcome.message());
      } else {
        result.error_code = Code(ErrorCode::kUnknownServerError);
      }
    }
  }
  return response;
}

}  // namespace

void HandleAlterPartitionReassignments(RequestContext context, Request request,
                                       Reply<Response> reply) {
  ControllerClient& controller = *context.services->controller;
  Ask ask = ToAsk(request);
  const Duration timeout = AdminTimeout(request.timeout_ms);
  controller.AlterPartitionReassignments(
      std::move(ask), timeout,
      [request = std::move(request),
       reply = std::move(reply)](const Result<Answer>& answer) {
        reply(ToResponse(request, answer));
      });
}

}  // namespace tidemark::server
