#include "common/kafka/messages/txn_offset_commit.h"

#include "broker/coordinator/runtime/partition_runtime.h"
#include "broker/coordinator/transaction_verifier.h"
#include "broker/kafka/handlers/transaction_common.h"
#include "broker/metadata/image_holder.h"
#include "broker/replication/replica_manager.h"

namespace tidemark::server {
namespace {

using Response = kafka::TxnOffsetCommitResponse;

// KAFKA-7296: older clients do not survive to hear of a load.
constexpr int16_t kFirstThatKnowsOfLoads = 2;
constexpr int16_t kFirstWithAbortable = 4;
// From here on the commit itself adds the group to the transaction (KIP-890).
constexpr int16_t kFirstThatAdds = 5;
// A transaction that ends again and again while its offsets are asked for.
constexpr int kMaxAsked = 3;

// A commit on its way: what goes to the coordinator, and where in the
// response each of its partitions stands.
struct Commit {
  RequestContext context;
  std::string transactional_id;
  int asked = 0;
  coordinator::TxnCommitRequest request;
  Response response;
  Reply<Response> reply;
  std::vector<std::pair<size_t, size_t>> places;

  void Answer(const coordinator::CommitResult& result);
};

void FromKafka(const metadata::Image& image,
               kafka::TxnOffsetCommitRequest request, Commit& out) {
  out.transactional_id = std::move(request.transactional_id);
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
}

// The message has no error of its own: each partition gets what befell all.
void Commit::Answer(const coordinator::CommitResult& result) {
  ErrorCode all = result.error;
  if (all == ErrorCode::kCoordinatorLoadInProgress &&
      context.version < kFirstThatKnowsOfLoads) {
    all = ErrorCode::kCoordinatorNotAvailable;
  }
  for (size_t i = 0; i < places.size(); ++i) {
    const auto [topic, partition] = places[i];
    response.topics[topic].partitions[partition].error_code =
        ErrorField(all != ErrorCode::kNone ? all : result.partitions[i]);
  }
  reply(std::move(response));
}

void Refuse(const std::shared_ptr<Commit>& commit, ErrorCode error) {
  commit->Answer({.error = error, .partitions = {}});
}

void AskLog(const std::shared_ptr<Commit>& commit);

void Append(const std::shared_ptr<Commit>& commit) {
  commit->context.services->groups->CommitInTransaction(
      commit->request, [commit](const coordinator::CommitResult& result) {
        // Something of the producer was appended since it was asked about, a
        // marker perhaps: what the coordinator has said does not count.
        if (result.error != ErrorCode::kInvalidTxnState ||
            commit->asked == kMaxAsked) {
          return commit->Answer(result);
        }
        commit->context.executor->Post([commit] { AskLog(commit); });
      });
}

void AskCoordinator(const std::shared_ptr<Commit>& commit,
                    TopicPartition partition) {
  ++commit->asked;
  const bool adds = commit->context.version >= kFirstThatAdds;
  commit->context.services->verifier->Ask(
      {.transactional_id = commit->transactional_id,
       .producer_id = commit->request.producer_id,
       .epoch = commit->request.producer_epoch,
       .partitions = {std::move(partition)},
       .verify_only = !adds,
       .client_version = adds ? coordinator::kEpochPerTransaction : int16_t{0}},
      *commit->context.executor,
      [commit](const coordinator::AddPartitionsResult& result) {
        const ErrorCode error = result.error != ErrorCode::kNone
                                    ? result.error
                                    : result.partitions.at(0);
        if (error == ErrorCode::kNone) return Append(commit);
        Refuse(commit,
               ForWriter(error, ErrorCode::kCoordinatorNotAvailable,
                         commit->context.version >= kFirstWithAbortable));
      });
}

// Offsets that came behind the end of their transaction would be pending for
// ever. So where they would begin it in their log the transaction's coordinator
// is asked, with a guard that the log takes back when a marker comes first.
void AskLog(const std::shared_ptr<Commit>& commit) {
  const Services& services = *commit->context.services;
  const auto partition =
      services.groups->OffsetsPartitionOf(commit->request.group_id);
  if (!partition) return Refuse(commit, partition.error().code);
  services.replicas->BeginVerification(
      *partition, commit->request.producer_id, commit->request.producer_epoch,
      *commit->context.executor,
      [commit, partition = *partition](const Result<uint64_t>& guard) {
        if (!guard) {
          return Refuse(commit, coordinator::ClientErrorOf(guard.error().code));
        }
        commit->request.verified = *guard;
        if (*guard == 0) return Append(commit);
        AskCoordinator(commit, partition);
      });
}

}  // namespace

void HandleTxnOffsetCommit(RequestContext context,
                           kafka::TxnOffsetCommitRequest request,
                           Reply<Response> reply) {
  auto commit = std::make_shared<Commit>();
  FromKafka(*context.services->metadata->Get(), std::move(request), *commit);
  commit->context = std::move(context);
  commit->reply = std::move(reply);
  if (commit->places.empty()) {
    return commit->reply(std::move(commit->response));
  }
  if (commit->context.services->verifier == nullptr) {
    return Refuse(commit, ErrorCode::kInvalidTxnState);
  }
  AskLog(commit);
}

}  // namespace tidemark::server
