#include "common/kafka/messages/list_offsets.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/handlers.h"
#include "broker/replication/fetch_service.h"

namespace tidemark::server {
namespace {

using Answers = std::vector<Result<log::TimestampedOffset>>;

constexpr int64_t kLatest = -1, kEarliest = -2, kMaximum = -3,
                  kEarliestLocal = -4, kLatestTiered = -5;
constexpr int8_t kReadCommitted = 1;
constexpr int16_t kFirstWithMaximum = 7;
constexpr int16_t kFirstWithEarliestLocal = 8;
constexpr int16_t kFirstWithLatestTiered = 9;
constexpr int16_t kFirstWithNotAvailable = 5;

bool Supported(int64_t timestamp, int16_t version) {
  switch (timestamp) {
    case kLatest:
    case kEarliest:
      return true;
    case kMaximum:
      return version >= kFirstWithMaximum;
    case kEarliestLocal:
      return version >= kFirstWithEarliestLocal;
    case kLatestTiered:
      return version >= kFirstWithLatestTiered;
    default:
      return timestamp >= 0;
  }
}

ErrorCode ErrorFor(ErrorCode error, int16_t version) {
  return error == ErrorCode::kOffsetNotAvailable &&
                 version < kFirstWithNotAvailable
             ? ErrorCode::kLeaderNotAvailable
             : error;
}

}  // namespace

void HandleListOffsets(RequestContext context,
                       kafka::ListOffsetsRequest request,
                       Reply<kafka::ListOffsetsResponse> reply) {
  auto response = std::make_shared<kafka::ListOffsetsResponse>();
  std::vector<std::pair<size_t, size_t>> slots;
  std::vector<replication::OffsetQuery> queries;
  std::map<TopicPartition, int> asked;
  for (const auto& topic : request.topics) {
    for (const auto& p : topic.partitions) {
      ++asked[{topic.name, p.partition_index}];
    }
  }
  for (const auto& topic : request.topics) {
    auto& to = response->topics.emplace_back();
    to.name = topic.name;
    for (const auto& p : topic.partitions) {
      auto& partition = to.partitions.emplace_back();
      partition.partition_index = p.partition_index;
      const TopicPartition name{topic.name, p.partition_index};
      if (asked[name] > 1) {
        partition.error_code = Code(ErrorCode::kInvalidRequest);
        continue;
      }
      if (!Supported(p.timestamp, context.version)) {
        partition.error_code = Code(ErrorCode::kUnsupportedVersion);
        continue;
      }
      // Nothing is kept anywhere but on this disk: there is none.
      if (p.timestamp == kLatestTiered) continue;
      slots.emplace_back(response->topics.size() - 1, to.partitions.size() - 1);
      replication::OffsetQuery query;
      query.partition = name;
      query.current_leader_epoch = p.current_leader_epoch;
      query.read_committed = request.isolation_level == kReadCommitted;
      query.timestamp = p.timestamp == kEarliestLocal ? kEarliest : p.timestamp;
      queries.push_back(std::move(query));
    }
  }
  Executor& on = *context.executor;
  auto* fetch = context.services->fetch;
  fetch->FindOffsets(
      std::move(queries), on, context.cancellation,
      [response, slots = std::move(slots), reply = std::move(reply),
       version = context.version](Answers answers) {
        for (size_t i = 0; i < answers.size(); ++i) {
          auto& partition =
              response->topics[slots[i].first].partitions[slots[i].second];
          if (!answers[i]) {
            partition.error_code =
                Code(ErrorFor(answers[i].error().code, version));
            continue;
          }
          partition.timestamp = answers[i]->timestamp_ms;
          partition.offset = answers[i]->offset;
          partition.leader_epoch = answers[i]->epoch;
        }
        reply(std::move(*response));
      });
}

}  // namespace tidemark::server
