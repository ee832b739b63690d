#include "common/kafka/messages/alter_replica_log_dirs.h"

#include <map>
#include <memory>
#include <utility>

#include "broker/kafka/handlers/cluster_view.h"

namespace tidemark::server {
namespace {

using Request = kafka::AlterReplicaLogDirsRequest;
using Response = kafka::AlterReplicaLogDirsResponse;
using Wanted = std::vector<std::pair<TopicPartition, std::string>>;

Wanted WantedOf(const Request& request) {
  // Of a partition that comes twice the last counts.
  std::map<TopicPartition, std::string> by_partition;
  for (const auto& dir : request.dirs) {
    for (const auto& topic : dir.topics) {
      for (const PartitionIndex index : topic.partitions) {
        by_partition[{topic.name, index}] = dir.path;
      }
    }
  }
  return {by_partition.begin(), by_partition.end()};
}

Response ToResponse(const Wanted& wanted, const std::vector<ErrorCode>& codes) {
  Response response;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const TopicPartition& partition = wanted[i].first;
    if (response.results.empty() ||
        response.results.back().topic_name != partition.topic) {
      response.results.push_back({partition.topic, {}});
    }
    response.results.back().partitions.push_back(
        {partition.partition, Code(codes[i])});
  }
  return response;
}

}  // namespace

void HandleAlterReplicaLogDirs(RequestContext context, Request request,
                               Reply<Response> reply) {
  Wanted wanted = WantedOf(request);
  const auto& move = context.services->move_replicas;
  if (!move) {
    return reply(ToResponse(
        wanted,
        std::vector<ErrorCode>(wanted.size(), ErrorCode::kKafkaStorageError)));
  }
  move(wanted,
       [wanted, reply = std::move(reply)](const std::vector<ErrorCode>& codes) {
         reply(ToResponse(wanted, codes));
       });
}

}  // namespace tidemark::server
