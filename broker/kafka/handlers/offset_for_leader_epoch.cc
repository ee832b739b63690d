#include "common/kafka/messages/offset_for_leader_epoch.h"

#include <memory>
#include <utility>
#include <vector>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/handlers.h"
#include "broker/replication/fetch_service.h"

namespace tidemark::server {

void HandleOffsetForLeaderEpoch(
    RequestContext context, kafka::OffsetForLeaderEpochRequest request,
    Reply<kafka::OffsetForLeaderEpochResponse> reply) {
  using Answers = std::vector<Result<log::EpochEnd>>;
  auto response = std::make_shared<kafka::OffsetForLeaderEpochResponse>();
  std::vector<std::pair<size_t, size_t>> slots;
  std::vector<replication::OffsetQuery> queries;
  for (const auto& topic : request.topics) {
    auto& to = response->topics.emplace_back();
    to.topic = topic.topic;
    for (const auto& p : topic.partitions) {
      auto& partition = to.partitions.emplace_back();
      partition.partition = p.partition;
      slots.emplace_back(response->topics.size() - 1, to.partitions.size() - 1);
      replication::OffsetQuery query;
      query.partition = {topic.topic, p.partition};
      query.current_leader_epoch = p.current_leader_epoch;
      query.epoch = p.leader_epoch;
      queries.push_back(std::move(query));
    }
  }
  Executor& on = *context.executor;
  auto* fetch = context.services->fetch;
  fetch->EndOffsets(
      std::move(queries), on,
      [response, slots = std::move(slots),
       reply = std::move(reply)](Answers answers) {
        for (size_t i = 0; i < answers.size(); ++i) {
          auto& partition =
              response->topics[slots[i].first].partitions[slots[i].second];
          if (!answers[i]) {
            partition.error_code = Code(answers[i].error().code);
            continue;
          }
          partition.leader_epoch = answers[i]->epoch;
          partition.end_offset = answers[i]->end_offset;
        }
        reply(std::move(*response));
      });
}

}  // namespace tidemark::server
