#include "common/kafka/messages/txn_offset_commit.h"

#include "broker/coordinator/transaction_verifier.h"
#include "broker/kafka/handlers/transaction_common.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Response = kafka::TxnOffsetCommitResponse;

// KAFKA-7296: older clients do not survive to hear of a load.
constexpr int16_t kFirstThatKnowsOfLoads = 2;
constexpr int16_t kFirstWithAbortable = 4;
// From here on the commit itself adds the group to the transaction (KIP-890).
constexpr int16_t kFirstThatAdds = 5;

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

// The transaction's coordinator is asked first: offsets that come behind the
// end of their transaction would be pending for ever.
void Verify(const RequestContext& context, std::string transactional_id,
            const coordinator::TxnCommitRequest& commit,
            std::function<void(ErrorCode)> done) {
  const auto partition =
      context.services->groups->OffsetsPartitionOf(commit.group_id);
  if (!partition) return done(partition.error().code);
  const bool adds = context.version >= kFirstThatAdds;
  context.services->verifier->Ask(
      {.transactional_id = std::move(transactional_id),
       .producer_id = commit.producer_id,
       .epoch = commit.producer_epoch,
       .partitions = {*partition},
       .verify_only = !adds,
       .client_version = adds ? coordinator::kEpochPerTransaction : int16_t{0}},
      *context.executor,
      [done = std::move(done), version = context.version](
          const coordinator::AddPartitionsResult& result) {
        const ErrorCode error = result.error != ErrorCode::kNone
                                    ? result.error
                                    : result.partitions.at(0);
        done(ForWriter(error, ErrorCode::kCoordinatorNotAvailable,
                       version >= kFirstWithAbortable));
      });
}

}  // namespace

void HandleTxnOffsetCommit(RequestContext context,
                           kafka::TxnOffsetCommitRequest request,
                           Reply<Response> reply) {
  std::string transactional_id = std::move(request.transactional_id);
  auto commit = std::make_shared<Commit>(
      FromKafka(*context.services->metadata->Get(), std::move(request)));
  if (commit->places.empty()) return reply(std::move(commit->response));
  auto answer = [commit, version = context.version, reply = std::move(reply)](
                    const coordinator::CommitResult& result) {
    commit->Answer(result, version);
    reply(std::move(commit->response));
  };
  if (context.services->verifier == nullptr) {
    return answer({.error = ErrorCode::kInvalidTxnState, .partitions = {}});
  }
  Verify(context, std::move(transactional_id), commit->request,
         [context, commit, answer = std::move(answer)](ErrorCode error) {
           if (error != ErrorCode::kNone) {
             return answer({.error = error, .partitions = {}});
           }
           context.services->groups->CommitInTransaction(
               std::move(commit->request), answer);
         });
}

}  // namespace tidemark::server
