#include "common/kafka/messages/produce.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "broker/kafka/handlers/handlers.h"
#include "broker/kafka/handlers/leader_hint.h"
#include "broker/kafka/handlers/topic_rules.h"
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
  if (request.transactional_id) {
    return Fail(ErrorCode::kInvalidTxnState,
                "this broker does not support transactions");
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
    return Fail(ErrorCode::kInvalidTxnState,
                "this broker does not support transactions");
  }
  return header;
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
  Executor& on = *ask->context.executor;
  ask->context.services->replicas->Produce(
      std::move(items), request.acks, TimeoutOf(request), on,
      [ask](std::vector<replication::ProduceOutcome> outcomes) {
        Answer(ask, std::move(outcomes));
      });
}

}  // namespace tidemark::server
