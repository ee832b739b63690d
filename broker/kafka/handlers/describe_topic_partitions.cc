#include "common/kafka/messages/describe_topic_partitions.h"

#include <algorithm>
#include <set>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Response = kafka::DescribeTopicPartitionsResponse;
using Topic = Response::DescribeTopicPartitionsResponseTopic;
using Partition = Response::DescribeTopicPartitionsResponsePartition;

Partition DescribePartition(const metadata::Image& image,
                            const metadata::PartitionImage& from, int32_t index,
                            const std::string& listener) {
  Partition to;
  to.partition_index = index;
  to.leader_id = from.leader;
  to.leader_epoch = from.leader_epoch;
  to.replica_nodes = from.replicas;
  to.isr_nodes = from.isr;
  to.eligible_leader_replicas = from.elr;
  to.last_known_elr.emplace();
  to.offline_replicas = OfflineReplicas(image, from.replicas, listener);
  if (LiveEndpoint(image, from.leader, listener) == nullptr) {
    const metadata::BrokerImage* leader = image.FindBroker(from.leader);
    to.error_code = Code(leader != nullptr && !leader->fenced
                             ? ErrorCode::kListenerNotFound
                             : ErrorCode::kLeaderNotAvailable);
    to.leader_id = kNoNode;
  }
  return to;
}

Topic Failed(const std::string& name, ErrorCode error) {
  Topic topic;
  topic.name = name;
  topic.error_code = Code(error);
  topic.is_internal = IsInternalTopic(name);
  return topic;
}

std::set<std::string> Names(
    const metadata::Image& image,
    const kafka::DescribeTopicPartitionsRequest& request) {
  std::set<std::string> names;
  for (const auto& topic : request.topics) names.insert(topic.name);
  if (request.topics.empty()) {
    for (const auto& [name, topic] : image.topics()) names.insert(name);
  }
  return names;
}

}  // namespace

// KIP-966: topics by name, a bounded number of partitions a page; the cursor
// is the first partition that did not fit.
void HandleDescribeTopicPartitions(
    RequestContext context, kafka::DescribeTopicPartitionsRequest request,
    Reply<kafka::DescribeTopicPartitionsResponse> reply) {
  const metadata::ImagePtr image = context.services->metadata->Get();
  const int64_t most = context.services->config->raw().GetInt(
      "max.request.partition.size.limit");
  int64_t room = std::clamp<int64_t>(request.response_partition_limit, 1, most);
  std::set<std::string> names = Names(*image, request);
  Response response;
  if (request.cursor && (request.cursor->partition_index < 0 ||
                         (!request.topics.empty() &&
                          !names.contains(request.cursor->topic_name)))) {
    for (const std::string& name : names) {
      response.topics.push_back(Failed(name, ErrorCode::kInvalidRequest));
    }
    return reply(std::move(response));
  }
  if (request.cursor) {
    names.erase(names.begin(), names.lower_bound(request.cursor->topic_name));
  }
  for (const std::string& name : names) {
    const metadata::TopicImage* topic = image->FindTopic(name);
    if (topic == nullptr) {
      response.topics.push_back(Failed(
          name, IsLegalTopicName(name) ? ErrorCode::kUnknownTopicOrPartition
                                       : ErrorCode::kInvalidTopicException));
      continue;
    }
    size_t next = request.cursor && request.cursor->topic_name == name
                      ? static_cast<size_t>(request.cursor->partition_index)
                      : 0;
    if (room > 0) {
      Topic to;
      to.name = name;
      to.topic_id = topic->id;
      to.is_internal = IsInternalTopic(name);
      to.topic_authorized_operations = kAllTopicOperations;
      for (; next < topic->partitions.size() && room > 0; ++next, --room) {
        to.partitions.push_back(
            DescribePartition(*image, *topic->partitions[next],
                              static_cast<int32_t>(next), context.listener));
      }
      response.topics.push_back(std::move(to));
    }
    if (next < topic->partitions.size()) {
      response.next_cursor = Response::Cursor{name, static_cast<int32_t>(next)};
      break;
    }
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
