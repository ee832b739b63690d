#include "common/kafka/messages/produce.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "broker/coordinator/transaction_verifier.h"
#include "broker/kafka/handlers/handlers.h"
#include "broker/kafka/handlers/leader_hint.h"
#include "broker/kafka/handlers/topic_rules.h"
#include "broker/kafka/handlers/transaction_common.h"
#include "broker/log/record_validation.h"
#include "broker/metadata/image_holder.h"
#include "broker/replication/replica_manager.h"
#include "common/record/batch_checker.h"
#include "common/record/batch_header.h"

namespace tidemark::server {
namespace {

using PartitionResponse = kafka::ProduceResponse::PartitionProduceResponse;

constexpr int16_t kFirstWithZstd = 7;
constexpr int16_t kFirstWithHints = 10;
constexpr int16_t kFirstWithAbortable = 11;
// From here on a batch itself adds its partition to the transaction (KIP-890).
constexpr int16_t kFirstThatAdds = 12;
// A transaction that ends again and again while its batches are asked for.
constexpr int kMaxAsked = 3;
constexpr char kAdminClientId[] = "__admin_client";
// Of acks=1 Kafka never says that it timed out: nobody else is waited for, and
// some clients name no time. A disk may take this long.
constexpr std::chrono::seconds kLocalTimeout(30);

Duration TimeoutOf(const kafka::ProduceRequest& request) {
  const Duration asked =
      std::chrono::milliseconds(std::max(request.timeout_ms, 0));
  return request.acks == 1 ? std::max<Duration>(asked, kLocalTimeout) : asked;
}

// One request on its way. Partitions refused before the log are answered
// already; the others are filled in by `Answer`.
struct Ask {
  RequestContext context;
  kafka::ProduceResponse response;
  Reply<kafka::ProduceResponse> reply;
  struct Slot {
    size_t topic = 0;
    size_t partition = 0;
  };
  std::vector<Slot> slots;  // of the items given to the replica manager
  // Of a transaction: who writes, and the items again, for those that its
  // coordinator is asked about first.
  std::string transactional_id;
  int16_t acks = 0;
  Duration timeout{};
  std::optional<record::BatchHeader> transaction;
  std::vector<replication::ProduceItem> items;
  std::vector<replication::ProduceOutcome> outcomes;
  int asked = 0;
};

void Refuse(PartitionResponse& partition, ErrorCode error,
            const std::string& message) {
  partition.error_code = Code(error);
  partition.base_offset = -1;
  partition.error_message = NullableMessage(message);
}

void Refuse(PartitionResponse& partition, log::RecordRefusal refusal) {
  Refuse(partition, refusal.error, refusal.message);
  for (auto& record : refusal.records) {
    partition.record_errors.push_back(
        {record.index, NullableMessage(record.message)});
  }
}

// What the protocol's version and this broker's features forbid. The log
// checks the rest of the batch.
Result<record::BatchHeader> CheckBatch(
    const kafka::ProduceRequest& request, const RequestContext& context,
    const std::string& topic, const std::optional<SharedBytes>& records) {
  if (request.acks < -1 || request.acks > 1) {
    return Fail(ErrorCode::kInvalidRequiredAcks, "acks must be -1, 0 or 1");
  }
  if (IsInternalTopic(topic) && context.client_id != kAdminClientId) {
    return Fail(ErrorCode::kInvalidTopicException,
                "clients may not write to the internal topic " + topic);
  }
  if (!records || records->empty()) {
    return Fail(ErrorCode::kInvalidRecord, "there is no record batch");
  }
  auto parsed = record::ParseBatchHeader(records->view());
  if (!parsed) {
    // At CORRUPT_MESSAGE producers send it again: no use when it is what was
    // meant.
    if (parsed.error().code == ErrorCode::kCorruptMessage &&
        record::IsIntact(records->view())) {
      parsed.error().code = ErrorCode::kInvalidRecord;
    }
    return Fail(parsed.error());
  }
  const record::BatchHeader& header = *parsed;
  if (header.FullSize() != records->size()) {
    return Fail(header.FullSize() < records->size()
                    ? ErrorCode::kInvalidRecord
                    : ErrorCode::kCorruptMessage,
                "a produce request carries exactly one whole batch a "
                "partition");
  }
  if (header.codec() == record::Codec::kZstd &&
      context.version < kFirstWithZstd) {
    return Fail(ErrorCode::kUnsupportedCompressionType,
                "zstd needs version 7 of Produce");
  }
  if (header.IsTransactional()) {
    if (TransactionsOf(context) == nullptr) {
      return Fail(ErrorCode::kInvalidTxnState, kNoTransactions);
    }
    if (!request.transactional_id) {
      return Fail(ErrorCode::kTransactionalIdAuthorizationFailed,
                  "a batch of a transaction, and no transactional id");
    }
  }
  return header;
}

// Kafka's: one request is of one producer's transaction.
Status CheckProducer(const record::BatchHeader& header,
                     std::optional<record::BatchHeader>* first) {
  if (!header.IsTransactional()) return {};
  if (!*first) *first = header;
  if ((*first)->producer_id == header.producer_id &&
      (*first)->producer_epoch == header.producer_epoch) {
    return {};
  }
  return Fail(ErrorCode::kInvalidProducerIdMapping,
              "batches of several producers in the request of one transaction");
}

size_t BytesOf(const kafka::ProduceRequest& request) {
  size_t bytes = 0;
  for (const auto& topic : request.topic_data) {
    for (const auto& data : topic.partition_data) {
      if (data.records) bytes += data.records->size();
    }
  }
  return bytes;
}

// The batch to append, once its records have been read where that is asked
// for. What the log refuses by the header alone is left to it.
tl::expected<SharedBytes, log::RecordRefusal> CheckRecords(
    const SharedBytes& batch, const record::BatchHeader& header,
    const log::RecordRules* rules, int64_t now_ms, size_t* unpack_left) {
  if (rules == nullptr || header.magic != record::kMagic ||
      !record::IsKnownCodec(header.codec()) || header.record_count == 0 ||
      header.last_offset_delta != header.record_count - 1) {
    return batch;
  }
  auto rewritten =
      log::ValidateRecords(batch.view(), header, *rules, now_ms, unpack_left);
  if (!rewritten) return tl::unexpected(std::move(rewritten).error());
  if (rewritten->empty()) return batch;
  return SharedBytes(std::move(*rewritten));
}

void Answer(const std::shared_ptr<Ask>& ask,
            std::vector<replication::ProduceOutcome> outcomes) {
  const metadata::ImagePtr image = ask->context.services->metadata->Get();
  std::vector<NodeId> leaders;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const replication::ProduceOutcome& outcome = outcomes[i];
    const Ask::Slot& slot = ask->slots[i];
    PartitionResponse& partition =
        ask->response.responses[slot.topic].partition_responses[slot.partition];
    if (outcome.error != ErrorCode::kNone) {
      Refuse(partition, outcome.error, outcome.message);
      if (outcome.error == ErrorCode::kNotLeaderOrFollower &&
          ask->context.version >= kFirstWithHints && outcome.leader >= 0) {
        partition.current_leader = {outcome.leader, outcome.leader_epoch};
        leaders.push_back(outcome.leader);
      }
      continue;
    }
    partition.base_offset = outcome.base_offset;
    partition.log_append_time_ms = outcome.log_append_time_ms;
    partition.log_start_offset = outcome.log_start_offset;
  }
  ask->response.node_endpoints =
      NodeEndpoints<kafka::ProduceResponse::NodeEndpoint>(
          *image, std::move(leaders), ask->context.listener);
  ask->reply(std::move(ask->response));
}

// Whoever adds partitions as it writes knows that the transaction before may
// not have ended yet.
ErrorCode ForProducer(ErrorCode error, int16_t version) {
  const bool adds = version >= kFirstThatAdds;
  if (adds && error == ErrorCode::kConcurrentTransactions) return error;
  return ForWriter(error, ErrorCode::kNotEnoughReplicas,
                   version >= kFirstWithAbortable);
}

void Append(const std::shared_ptr<Ask>& ask, const std::vector<size_t>& which);

// `which`: the items that begin the transaction in their partitions.
void AskCoordinator(const std::shared_ptr<Ask>& ask,
                    std::vector<size_t> which) {
  const bool adds = ask->context.version >= kFirstThatAdds;
  coordinator::AddPartitionsRequest request{
      .transactional_id = ask->transactional_id,
      .producer_id = ask->transaction->producer_id,
      .epoch = ask->transaction->producer_epoch,
      .partitions = {},
      .verify_only = !adds,
      .client_version = adds ? coordinator::kEpochPerTransaction : int16_t{0}};
  for (const size_t i : which) {
    request.partitions.push_back(ask->items[i].partition);
  }
  ask->context.services->verifier->Ask(
      std::move(request), *ask->context.executor,
      [ask, which = std::move(which)](
          const coordinator::AddPartitionsResult& result) {
        std::vector<size_t> held;
        for (size_t i = 0; i < which.size(); ++i) {
          const ErrorCode error = result.error != ErrorCode::kNone
                                      ? result.error
                                      : result.partitions.at(i);
          replication::ProduceOutcome& outcome = ask->outcomes[which[i]];
          if (error == ErrorCode::kNone) {
            ask->items[which[i]].verified = outcome.verify;
            held.push_back(which[i]);
          } else {
            outcome.error = ForProducer(error, ask->context.version);
            outcome.message = "the transaction's coordinator: " +
                              std::string(ErrorName(error));
          }
        }
        if (held.empty()) return Answer(ask, std::move(ask->outcomes));
        Append(ask, held);
      });
}

void Append(const std::shared_ptr<Ask>& ask, const std::vector<size_t>& which) {
  std::vector<replication::ProduceItem> items;
  for (const size_t i : which) items.push_back(ask->items[i]);
  ask->context.services->replicas->Produce(
      std::move(items), ask->acks, ask->timeout, *ask->context.executor,
      [ask, which](std::vector<replication::ProduceOutcome> outcomes) {
        std::vector<size_t> begins;
        for (size_t i = 0; i < which.size(); ++i) {
          if (outcomes[i].verify != 0) begins.push_back(which[i]);
          ask->outcomes[which[i]] = std::move(outcomes[i]);
        }
        if (begins.empty() || ++ask->asked > kMaxAsked) {
          return Answer(ask, std::move(ask->outcomes));
        }
        AskCoordinator(ask, std::move(begins));
      });
}

void AppendTransaction(const std::shared_ptr<Ask>& ask,
                       kafka::ProduceRequest& request,
                       std::vector<replication::ProduceItem> items) {
  ask->transactional_id = std::move(*request.transactional_id);
  ask->acks = request.acks;
  ask->timeout = TimeoutOf(request);
  ask->items = std::move(items);
  if (ask->context.version >= kFirstThatAdds) {
    for (auto& item : ask->items) {
      item.transaction_version = coordinator::kEpochPerTransaction;
    }
  }
  ask->outcomes.resize(ask->items.size());
  std::vector<size_t> all(ask->items.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  Append(ask, all);
}

}  // namespace

void HandleProduce(RequestContext context, kafka::ProduceRequest request,
                   Reply<kafka::ProduceResponse> reply) {
  auto ask = std::make_shared<Ask>();
  std::vector<replication::ProduceItem> items;
  TopicRules rules(*context.services);
  const int64_t now_ms = context.executor->WallMs();
  size_t unpack_left = log::UnpackAllowance(BytesOf(request));
  for (const auto& topic : request.topic_data) {
    auto& topic_response = ask->response.responses.emplace_back();
    topic_response.name = topic.name;
    for (const auto& data : topic.partition_data) {
      auto& partition = topic_response.partition_responses.emplace_back();
      partition.index = data.index;
      auto header = CheckBatch(request, context, topic.name, data.records);
      if (!header) {
        Refuse(partition, header.error().code, header.error().message);
        continue;
      }
      if (Status one = CheckProducer(*header, &ask->transaction); !one) {
        Refuse(partition, one.error().code, one.error().message);
        continue;
      }
      auto batch = CheckRecords(*data.records, *header, rules.Find(topic.name),
                                now_ms, &unpack_left);
      if (!batch) {
        Refuse(partition, std::move(batch).error());
        continue;
      }
      ask->slots.push_back({ask->response.responses.size() - 1,
                            topic_response.partition_responses.size() - 1});
      items.push_back({{topic.name, data.index}, std::move(*batch)});
    }
  }
  ask->reply = std::move(reply);
  ask->context = std::move(context);
  if (ask->transaction) {
    return AppendTransaction(ask, request, std::move(items));
  }
  Executor& on = *ask->context.executor;
  ask->context.services->replicas->Produce(
      std::move(items), request.acks, TimeoutOf(request), on,
      [ask](std::vector<replication::ProduceOutcome> outcomes) {
        Answer(ask, std::move(outcomes));
      });
}

}  // namespace tidemark::server
