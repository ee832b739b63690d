#include "common/kafka/messages/write_txn_markers.h"

#include <chrono>

#include "broker/coordinator/marker_writer.h"
#include "broker/kafka/handlers/transaction_common.h"

namespace tidemark::server {
namespace {

constexpr std::chrono::seconds kTimeout(30);

}  // namespace

void HandleWriteTxnMarkers(RequestContext context,
                           kafka::WriteTxnMarkersRequest request,
                           Reply<kafka::WriteTxnMarkersResponse> reply) {
  kafka::WriteTxnMarkersResponse response;
  std::vector<replication::MarkerItem> items;
  struct Place {
    size_t marker, topic, partition;
  };
  std::vector<Place> places;
  for (const auto& marker : request.markers) {
    auto& to = response.markers.emplace_back();
    to.producer_id = marker.producer_id;
    for (const auto& topic : marker.topics) {
      auto& to_topic = to.topics.emplace_back();
      to_topic.name = topic.name;
      for (const PartitionIndex partition : topic.partition_indexes) {
        auto& result = to_topic.partitions.emplace_back();
        result.partition_index = partition;
        // What is in there is no part of any transaction.
        if (topic.name == coordinator::kTransactionsTopic) {
          result.error_code = Code(ErrorCode::kInvalidTopicException);
          continue;
        }
        places.push_back({response.markers.size() - 1, to.topics.size() - 1,
                          to_topic.partitions.size() - 1});
        items.push_back({.partition = {topic.name, partition},
                         .producer_id = marker.producer_id,
                         .producer_epoch = marker.producer_epoch,
                         .commit = marker.transaction_result,
                         .coordinator_epoch = marker.coordinator_epoch,
                         .transaction_version = marker.transaction_version});
      }
    }
  }
  coordinator::WriteMarkersHere(
      *context.services->replicas, *context.services->groups, std::move(items),
      kTimeout, *context.executor,
      [response = std::move(response), places = std::move(places),
       reply = std::move(reply)](const std::vector<ErrorCode>& errors) mutable {
        for (size_t i = 0; i < places.size(); ++i) {
          const auto& [marker, topic, partition] = places[i];
          response.markers[marker]
              .topics[topic]
              .partitions[partition]
              .error_code = Code(errors[i]);
        }
        reply(std::move(response));
      });
}

}  // namespace tidemark::server
