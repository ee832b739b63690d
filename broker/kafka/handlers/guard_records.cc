// Guards of what reads and writes records.
#include "broker/kafka/handlers/guards.h"
#include "common/kafka/messages/delete_records.h"
#include "common/kafka/messages/describe_producers.h"
#include "common/kafka/messages/fetch.h"
#include "common/kafka/messages/list_offsets.h"
#include "common/kafka/messages/offset_for_leader_epoch.h"
#include "common/kafka/messages/produce.h"
#include "common/record/batch_header.h"

namespace tidemark::server {
namespace {

using enum AclOperation;

bool IsOfTransaction(const kafka::ProduceRequest& request) {
  for (const auto& topic : request.topic_data) {
    for (const auto& data : topic.partition_data) {
      if (!data.records) continue;
      const auto header = record::ParseBatchHeader(data.records->view());
      if (header && header->IsTransactional()) return true;
    }
  }
  return false;
}

kafka::ProduceResponse::TopicProduceResponse Refused(
    const kafka::ProduceRequest::TopicProduceData& topic, ErrorCode error) {
  kafka::ProduceResponse::TopicProduceResponse out;
  out.name = topic.name;
  for (const auto& data : topic.partition_data) {
    auto& partition = out.partition_responses.emplace_back();
    partition.index = data.index;
    partition.error_code = Code(error);
    partition.base_offset = -1;
  }
  return out;
}

// Who follows says who it is in another place since version 15.
bool IsFollower(const kafka::FetchRequest& request, int16_t version) {
  constexpr int16_t kFirstWithState = 15;
  return (version >= kFirstWithState ? request.replica_state.replica_id
                                     : request.replica_id) >= 0;
}

kafka::FetchResponse RefuseFollower(const kafka::FetchRequest& request) {
  kafka::FetchResponse response;
  // Where there is no partition to say it of.
  if (request.topics.empty()) response.error_code = Code(kNotThisCluster);
  for (const auto& topic : request.topics) {
    auto& to = response.responses.emplace_back();
    to.topic = topic.topic;
    to.topic_id = topic.topic_id;
    for (const auto& asked : topic.partitions) {
      auto& partition = to.partitions.emplace_back();
      partition.partition_index = asked.partition;
      partition.error_code = Code(kNotThisTopic);
      partition.high_watermark = -1;
    }
  }
  return response;
}

}  // namespace

void GuardProduce(RequestContext context, kafka::ProduceRequest request,
                  Reply<kafka::ProduceResponse> reply) {
  const auto rights = context.rights;
  if (request.transactional_id && IsOfTransaction(request) &&
      !rights->MayTransaction(kWrite, *request.transactional_id)) {
    kafka::ProduceResponse response;
    RefuseAll(request.topic_data, &response.responses, [](const auto& topic) {
      return Refused(topic, kNotThisTransaction);
    });
    return reply(std::move(response));
  }
  PassAllowed(
      &HandleProduce, std::move(context), std::move(request), std::move(reply),
      &kafka::ProduceRequest::topic_data, &kafka::ProduceResponse::responses,
      [&](const auto& topic) { return rights->MayTopic(kWrite, topic.name); },
      [](const auto& topic) { return Refused(topic, kNotThisTopic); });
}

// What a consumer's session reads is known to the handler only.
void GuardFetch(RequestContext context, kafka::FetchRequest request,
                Reply<kafka::FetchResponse> reply) {
  if (IsFollower(request, context.version) &&
      !context.rights->MayCluster(kClusterAction)) {
    return reply(RefuseFollower(request));
  }
  HandleFetch(std::move(context), std::move(request), std::move(reply));
}

void GuardListOffsets(RequestContext context, kafka::ListOffsetsRequest request,
                      Reply<kafka::ListOffsetsResponse> reply) {
  const auto rights = context.rights;
  PassAllowed(
      &HandleListOffsets, std::move(context), std::move(request),
      std::move(reply), &kafka::ListOffsetsRequest::topics,
      &kafka::ListOffsetsResponse::topics,
      [&](const auto& topic) {
        return rights->MayTopic(kDescribe, topic.name);
      },
      [](const auto& topic) {
        kafka::ListOffsetsResponse::ListOffsetsTopicResponse out;
        out.name = topic.name;
        for (const auto& asked : topic.partitions) {
          auto& partition = out.partitions.emplace_back();
          partition.partition_index = asked.partition_index;
          partition.error_code = Code(kNotThisTopic);
        }
        return out;
      });
}

// Of brokers, and since KIP-320 of consumers.
void GuardOffsetForLeaderEpoch(
    RequestContext context, kafka::OffsetForLeaderEpochRequest request,
    Reply<kafka::OffsetForLeaderEpochResponse> reply) {
  const auto rights = context.rights;
  if (rights->MayCluster(kClusterAction, Rights::Audit::kNo)) {
    return HandleOffsetForLeaderEpoch(std::move(context), std::move(request),
                                      std::move(reply));
  }
  PassAllowed(
      &HandleOffsetForLeaderEpoch, std::move(context), std::move(request),
      std::move(reply), &kafka::OffsetForLeaderEpochRequest::topics,
      &kafka::OffsetForLeaderEpochResponse::topics,
      [&](const auto& topic) {
        return rights->MayTopic(kDescribe, topic.topic);
      },
      [](const auto& topic) {
        kafka::OffsetForLeaderEpochResponse::OffsetForLeaderTopicResult out;
        out.topic = topic.topic;
        for (const auto& asked : topic.partitions) {
          auto& partition = out.partitions.emplace_back();
          partition.partition = asked.partition;
          partition.error_code = Code(kNotThisTopic);
        }
        return out;
      });
}

void GuardDeleteRecords(RequestContext context,
                        kafka::DeleteRecordsRequest request,
                        Reply<kafka::DeleteRecordsResponse> reply) {
  const auto rights = context.rights;
  PassAllowed(
      &HandleDeleteRecords, std::move(context), std::move(request),
      std::move(reply), &kafka::DeleteRecordsRequest::topics,
      &kafka::DeleteRecordsResponse::topics,
      [&](const auto& topic) { return rights->MayTopic(kDelete, topic.name); },
      [](const auto& topic) {
        kafka::DeleteRecordsResponse::DeleteRecordsTopicResult out;
        out.name = topic.name;
        for (const auto& asked : topic.partitions) {
          out.partitions.push_back(
              {asked.partition_index, -1, Code(kNotThisTopic)});
        }
        return out;
      });
}

void GuardDescribeProducers(RequestContext context,
                            kafka::DescribeProducersRequest request,
                            Reply<kafka::DescribeProducersResponse> reply) {
  const auto rights = context.rights;
  PassAllowed(
      &HandleDescribeProducers, std::move(context), std::move(request),
      std::move(reply), &kafka::DescribeProducersRequest::topics,
      &kafka::DescribeProducersResponse::topics,
      [&](const auto& topic) { return rights->MayTopic(kRead, topic.name); },
      [](const auto& topic) {
        kafka::DescribeProducersResponse::TopicResponse out;
        out.name = topic.name;
        for (const PartitionIndex index : topic.partition_indexes) {
          auto& partition = out.partitions.emplace_back();
          partition.partition_index = index;
          partition.error_code = Code(kNotThisTopic);
        }
        return out;
      });
}

}  // namespace tidemark::server
