#include "common/kafka/messages/describe_log_dirs.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/replication/replica_manager.h"

namespace tidemark::server {
namespace {

using Request = kafka::DescribeLogDirsRequest;
using Response = kafka::DescribeLogDirsResponse;
using Sizes = std::vector<replication::ReplicaSize>;

// Of which partitions; nullopt: of all.
std::optional<std::set<TopicPartition>> Wanted(const Request& request) {
  if (!request.topics) return std::nullopt;
  std::set<TopicPartition> wanted;
  for (const auto& topic : *request.topics) {
    for (const PartitionIndex index : topic.partitions) {
      wanted.insert({topic.topic, index});
    }
  }
  return wanted;
}

Response::DescribeLogDirsResult Describe(const LogDirectoryState& directory) {
  Response::DescribeLogDirsResult result;
  result.log_dir = directory.path;
  result.total_bytes = directory.total_bytes;
  result.usable_bytes = directory.usable_bytes;
  if (!directory.offline.empty()) {
    result.error_code = Code(ErrorCode::kKafkaStorageError);
  }
  return result;
}

Response ToResponse(const std::vector<LogDirectoryState>& directories,
                    const std::optional<std::set<TopicPartition>>& wanted,
                    const Sizes& sizes,
                    const std::vector<FutureReplica>& futures) {
  using Partitions = std::vector<Response::DescribeLogDirsPartition>;
  std::map<std::string, std::map<std::string, Partitions>> found;
  for (const auto& replica : sizes) {
    const TopicPartition& name = replica.partition;
    if (wanted && !wanted->contains(name)) continue;
    found[replica.directory][name.topic].push_back(
        {name.partition, replica.bytes, replica.lag, false});
  }
  std::map<TopicPartition, const replication::ReplicaSize*> now;
  for (const auto& replica : sizes) now[replica.partition] = &replica;
  for (const FutureReplica& future : futures) {
    const TopicPartition& name = future.partition;
    const auto replica = now.find(name);
    // One that is there by now moves no more.
    if (replica == now.end() || (wanted && !wanted->contains(name)) ||
        replica->second->directory == future.directory) {
      continue;
    }
    found[future.directory][name.topic].push_back(
        {name.partition, future.bytes,
         std::max<Offset>(0, replica->second->end - future.end), true});
  }
  Response response;
  for (const LogDirectoryState& directory : directories) {
    auto& result = response.results.emplace_back(Describe(directory));
    if (!directory.offline.empty()) continue;
    for (auto& [topic, partitions] : found[directory.path]) {
      result.topics.push_back({topic, std::move(partitions)});
    }
  }
  return response;
}

}  // namespace

void HandleDescribeLogDirs(RequestContext context, Request request,
                           Reply<Response> reply) {
  Executor& on = *context.executor;
  auto* replicas = context.services->replicas;
  replicas->DescribeReplicas(
      on, [context = std::move(context), wanted = Wanted(request),
           reply = std::move(reply)](const Sizes& sizes) {
        const Services& services = *context.services;
        reply(ToResponse(services.log_directories(), wanted, sizes,
                         services.future_replicas
                             ? services.future_replicas()
                             : std::vector<FutureReplica>()));
      });
}

}  // namespace tidemark::server
