#include "common/kafka/messages/offset_commit.h"

#include "broker/kafka/handlers/group_common.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Response = kafka::OffsetCommitResponse;

// A commit on its way: what goes to the coordinator, and where in the
// response each of its partitions stands.
struct Commit {
  coordinator::CommitRequest request;
  Response response;
  std::vector<std::pair<size_t, size_t>> places;
};

Commit FromKafka(const metadata::Image& image,
                 kafka::OffsetCommitRequest request) {
  Commit out;
  out.request.group_id = std::move(request.group_id);
  out.request.generation = request.generation_id_or_member_epoch;
  out.request.member_id = std::move(request.member_id);
  out.request.instance_id = std::move(request.group_instance_id);
  for (const auto& topic : request.topics) {
    Response::OffsetCommitResponseTopic answer{.name = topic.name};
    for (const auto& p : topic.partitions) {
      ErrorCode error = ErrorCode::kUnknownTopicOrPartition;
      if (image.FindPartition(topic.name, p.partition_index)) {
        error = ErrorCode::kNone;
        out.places.emplace_back(out.response.topics.size(),
                                answer.partitions.size());
        out.request.partitions.push_back(
            {{topic.name, p.partition_index},
             {.offset = p.committed_offset,
              .leader_epoch = p.committed_leader_epoch,
              .metadata = p.committed_metadata.value_or(""),
              .commit_timestamp_ms = p.commit_timestamp}});
      }
      answer.partitions.push_back({p.partition_index, ErrorField(error)});
    }
    out.response.topics.push_back(std::move(answer));
  }
  return out;
}

}  // namespace

void HandleOffsetCommit(RequestContext context,
                        kafka::OffsetCommitRequest request,
                        Reply<Response> reply) {
  Commit commit =
      FromKafka(*context.services->metadata->Get(), std::move(request));
  if (commit.places.empty()) return reply(std::move(commit.response));
  context.services->groups->Commit(
      std::move(commit.request),
      [response = std::move(commit.response), places = std::move(commit.places),
       reply = std::move(reply)](coordinator::CommitResult result) mutable {
        for (size_t i = 0; i < places.size(); ++i) {
          const auto [topic, partition] = places[i];
          response.topics[topic].partitions[partition].error_code = ErrorField(
              result.error != ErrorCode::kNone ? result.error
                                               : result.partitions[i]);
        }
        reply(std::move(response));
      });
}

}  // namespace tidemark::server
