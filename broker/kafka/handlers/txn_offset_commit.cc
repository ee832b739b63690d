#include "common/kafka/messages/txn_offset_commit.h"

#include "broker/kafka/handlers/group_common.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Response = kafka::TxnOffsetCommitResponse;

// KAFKA-7296: older clients do not survive to hear of a load.
constexpr int16_t kFirstThatKnowsOfLoads = 2;

// A commit on its way: what goes to the coordinator, and where in the
// response each of its partitions stands.
struct Commit {
  coordinator::TxnCommitRequest request;
  Response response;
  std::vector<std::pair<size_t, size_t>> places;

  void Answer(const coordinator::CommitResult& result, int16_t version);
};

Commit FromKafka(const metadata::Image& image,
                 kafka::TxnOffsetCommitRequest request) {
  Commit out;
  out.request.group_id = std::move(request.group_id);
  out.request.generation = request.generation_id_or_member_epoch;
  out.request.member_id = std::move(request.member_id);
  out.request.instance_id = std::move(request.group_instance_id);
  out.request.producer_id = request.producer_id;
  out.request.producer_epoch = request.producer_epoch;
  for (const auto& topic : request.topics) {
    Response::TxnOffsetCommitResponseTopic answer{.name = topic.name};
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
              .metadata = p.committed_metadata.value_or("")}});
      }
      answer.partitions.push_back({p.partition_index, ErrorField(error)});
    }
    out.response.topics.push_back(std::move(answer));
  }
  return out;
}

// The message has no error of its own: each partition gets what befell all.
void Commit::Answer(const coordinator::CommitResult& result, int16_t version) {
  ErrorCode all = result.error;
  if (all == ErrorCode::kCoordinatorLoadInProgress &&
      version < kFirstThatKnowsOfLoads) {
    all = ErrorCode::kCoordinatorNotAvailable;
  }
  for (size_t i = 0; i < places.size(); ++i) {
    const auto [topic, partition] = places[i];
    response.topics[topic].partitions[partition].error_code =
        ErrorField(all != ErrorCode::kNone ? all : result.partitions[i]);
  }
}

}  // namespace

void HandleTxnOffsetCommit(RequestContext context,
                           kafka::TxnOffsetCommitRequest request,
                           Reply<Response> reply) {
  Commit commit =
      FromKafka(*context.services->metadata->Get(), std::move(request));
  if (commit.places.empty()) return reply(std::move(commit.response));
  coordinator::TxnCommitRequest to_group = std::move(commit.request);
  context.services->groups->CommitInTransaction(
      std::move(to_group),
      [commit = std::move(commit), version = context.version,
       reply = std::move(reply)](coordinator::CommitResult result) mutable {
        commit.Answer(result, version);
        reply(std::move(commit.response));
      });
}

}  // namespace tidemark::server
