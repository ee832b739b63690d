#include "common/kafka/messages/describe_producers.h"

#include <set>

#include "broker/kafka/handlers/group_common.h"
#include "broker/replication/replica_manager.h"

namespace tidemark::server {
namespace {

using Response = kafka::DescribeProducersResponse;
using Producers = Result<std::vector<replication::ActiveProducer>>;

Response::PartitionResponse ToKafka(PartitionIndex index,
                                    const Producers& producers) {
  Response::PartitionResponse out;
  out.partition_index = index;
  if (!producers) {
    out.error_code = ErrorField(producers.error().code);
    out.error_message = producers.error().message;
    return out;
  }
  for (const replication::ActiveProducer& producer : *producers) {
    out.active_producers.push_back(
        {.producer_id = producer.producer_id,
         .producer_epoch = producer.producer_epoch,
         .last_sequence = producer.last_sequence,
         .last_timestamp = producer.last_timestamp_ms,
         .coordinator_epoch = producer.coordinator_epoch,
         .current_txn_start_offset = producer.transaction_start});
  }
  return out;
}

}  // namespace

void HandleDescribeProducers(RequestContext context,
                             kafka::DescribeProducersRequest request,
                             Reply<Response> reply) {
  auto partitions = std::make_shared<std::vector<TopicPartition>>();
  for (const auto& topic : request.topics) {
    for (const PartitionIndex index : topic.partition_indexes) {
      partitions->push_back({topic.name, index});
    }
  }
  // An answer may be large, but not by repetition.
  const std::set<TopicPartition> distinct(partitions->begin(),
                                          partitions->end());
  if (partitions->size() > kMaxGroupsInARequest ||
      distinct.size() < partitions->size()) {
    return;
  }
  Gather<Producers>::Run(
      partitions->size(),
      [request = std::move(request),
       reply = std::move(reply)](const std::vector<Producers>& all) {
        Response response;
        size_t next = 0;
        for (const auto& topic : request.topics) {
          auto& to = response.topics.emplace_back();
          to.name = topic.name;
          for (const PartitionIndex index : topic.partition_indexes) {
            to.partitions.push_back(ToKafka(index, all[next++]));
          }
        }
        reply(std::move(response));
      },
      [context = std::move(context), partitions](
          size_t index, std::function<void(Producers)> done) {
        context.services->replicas->DescribeProducers(
            (*partitions)[index], *context.executor, std::move(done));
      });
}

}  // namespace tidemark::server
