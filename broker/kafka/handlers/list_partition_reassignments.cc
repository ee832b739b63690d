#include "common/kafka/messages/list_partition_reassignments.h"

#include <map>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/controller_client.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

using Request = kafka::ListPartitionReassignmentsRequest;
using Response = kafka::ListPartitionReassignmentsResponse;
using Ask = admin::v1::ListPartitionReassignmentsRequest;
using Answer = admin::v1::ListPartitionReassignmentsResponse;

Response ToResponse(const Result<Answer>& answer) {
  Response response;
  if (!answer) {
    response.error_code = Code(answer.error().code);
    response.error_message = NullableMessage(answer.error().message);
    return response;
  }
  std::map<std::string, Response::OngoingTopicReassignment> topics;
  for (const auto& moving : answer->reassignments()) {
    auto& partition = topics[moving.topic()].partitions.emplace_back();
    partition.partition_index = moving.partition();
    partition.replicas.assign(moving.replicas().begin(),
                              moving.replicas().end());
    partition.adding_replicas.assign(moving.adding_replicas().begin(),
                                     moving.adding_replicas().end());
    partition.removing_replicas.assign(moving.removing_replicas().begin(),
                                       moving.removing_replicas().end());
  }
  for (auto& [name, topic] : topics) {
    topic.name = name;
    response.topics.push_back(std::move(topic));
  }
  return response;
}

}  // namespace

void HandleListPartitionReassignments(RequestContext context, Request request,
                                      Reply<Response> reply) {
  Ask ask;
  if (request.topics) {
    for (const auto& topic : *request.topics) {
      if (!IsUtf8(topic.name)) continue;  // nothing is called so
      for (const int32_t index : topic.partition_indexes) {
        ask.add_partitions()->set_topic(topic.name);
        ask.mutable_partitions()->rbegin()->set_partition(index);
      }
    }
    // Of none: to ask without any would be to ask for all.
    if (ask.partitions().empty()) return reply(Response());
  }
  context.services->controller->ListPartitionReassignments(
      std::move(ask), AdminTimeout(request.timeout_ms),
      [reply = std::move(reply)](const Result<Answer>& answer) {
        reply(ToResponse(answer));
      });
}

}  // namespace tidemark::server
