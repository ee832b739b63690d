// Guards of what is about transactions and producers.
#include <functional>
#include <set>
#include <string>

#include "broker/kafka/handlers/guards.h"
#include "common/kafka/messages/add_offsets_to_txn.h"
#include "common/kafka/messages/add_partitions_to_txn.h"
#include "common/kafka/messages/describe_transactions.h"
#include "common/kafka/messages/end_txn.h"
#include "common/kafka/messages/init_producer_id.h"
#include "common/kafka/messages/list_transactions.h"
#include "common/kafka/messages/txn_offset_commit.h"
#include "common/kafka/messages/write_txn_markers.h"

namespace tidemark::server {
namespace {

using enum AclOperation;

template <class Response>
Response Refuse(ErrorCode error) {
  Response response;
  response.error_code = Code(error);
  return response;
}

kafka::TxnOffsetCommitResponse::TxnOffsetCommitResponseTopic RefusedTopic(
    const kafka::TxnOffsetCommitRequest::TxnOffsetCommitRequestTopic& topic,
    ErrorCode error) {
  kafka::TxnOffsetCommitResponse::TxnOffsetCommitResponseTopic out;
  out.name = topic.name;
  for (const auto& asked : topic.partitions) {
    out.partitions.push_back({asked.partition_index, Code(error)});
  }
  return out;
}

using AddRequest = kafka::AddPartitionsToTxnRequest;
using AddResponse = kafka::AddPartitionsToTxnResponse;

// All or none: what might have been added is not attempted.
AddResponse RefusePartitions(
    const AddRequest& request,
    const std::function<ErrorCode(const std::string&, PartitionIndex)>& error) {
  AddResponse response;
  for (const auto& topic : request.v3_and_below_topics) {
    auto& to = response.results_by_topic_v3_and_below.emplace_back();
    to.name = topic.name;
    for (const PartitionIndex index : topic.partitions) {
      to.results_by_partition.push_back(
          {index, Code(error(topic.name, index))});
    }
  }
  return response;
}

}  // namespace

// An idempotent producer needs no right of its own where it may write at all
// (KIP-679).
void GuardInitProducerId(RequestContext context,
                         kafka::InitProducerIdRequest request,
                         Reply<kafka::InitProducerIdResponse> reply) {
  const Rights& rights = *context.rights;
  ErrorCode error = ErrorCode::kNone;
  if (request.transactional_id) {
    if (!rights.MayTransaction(kWrite, *request.transactional_id)) {
      error = kNotThisTransaction;
    }
  } else if (!rights.MayCluster(kIdempotentWrite, Rights::Audit::kNo) &&
             !rights.MayWriteAnyTopic() &&
             !rights.MayCluster(kIdempotentWrite)) {  // for the audit log
    error = kNotThisCluster;
  }
  if (error != ErrorCode::kNone) {
    auto response = Refuse<kafka::InitProducerIdResponse>(error);
    response.producer_id = -1;
    response.producer_epoch = -1;
    return reply(std::move(response));
  }
  HandleInitProducerId(std::move(context), std::move(request),
                       std::move(reply));
}

void GuardAddPartitionsToTxn(RequestContext context, AddRequest request,
                             Reply<AddResponse> reply) {
  constexpr int16_t kFirstOfBrokers = 4;
  const auto rights = context.rights;
  if (context.version >= kFirstOfBrokers) {
    if (!rights->MayCluster(kClusterAction)) {
      return reply(Refuse<AddResponse>(kNotThisCluster));
    }
    return HandleAddPartitionsToTxn(std::move(context), std::move(request),
                                    std::move(reply));
  }
  if (!rights->MayTransaction(kWrite, request.v3_and_below_transactional_id)) {
    return reply(RefusePartitions(
        request, [](auto&, auto) { return kNotThisTransaction; }));
  }
  std::set<std::string> denied;
  for (const auto& topic : request.v3_and_below_topics) {
    // The broker's own are nobody's to write to.
    if (IsInternalTopic(topic.name) || !rights->MayTopic(kWrite, topic.name)) {
      denied.insert(topic.name);
    }
  }
  if (denied.empty()) {
    return HandleAddPartitionsToTxn(std::move(context), std::move(request),
                                    std::move(reply));
  }
  reply(RefusePartitions(
      request, [&](const std::string& topic, PartitionIndex index) {
        if (denied.contains(topic)) return kNotThisTopic;
        return rights->image().FindPartition(topic, index) == nullptr
                   ? ErrorCode::kUnknownTopicOrPartition
                   : ErrorCode::kOperationNotAttempted;
      }));
}

void GuardAddOffsetsToTxn(RequestContext context,
                          kafka::AddOffsetsToTxnRequest request,
                          Reply<kafka::AddOffsetsToTxnResponse> reply) {
  using Response = kafka::AddOffsetsToTxnResponse;
  if (!context.rights->MayTransaction(kWrite, request.transactional_id)) {
    return reply(Refuse<Response>(kNotThisTransaction));
  }
  if (!context.rights->MayGroup(kRead, request.group_id)) {
    return reply(Refuse<Response>(kNotThisGroup));
  }
  HandleAddOffsetsToTxn(std::move(context), std::move(request),
                        std::move(reply));
}

void GuardEndTxn(RequestContext context, kafka::EndTxnRequest request,
                 Reply<kafka::EndTxnResponse> reply) {
  if (!context.rights->MayTransaction(kWrite, request.transactional_id)) {
    return reply(Refuse<kafka::EndTxnResponse>(kNotThisTransaction));
  }
  HandleEndTxn(std::move(context), std::move(request), std::move(reply));
}

void GuardTxnOffsetCommit(RequestContext context,
                          kafka::TxnOffsetCommitRequest request,
                          Reply<kafka::TxnOffsetCommitResponse> reply) {
  const auto rights = context.rights;
  ErrorCode error = ErrorCode::kNone;
  if (!rights->MayTransaction(kWrite, request.transactional_id)) {
    error = kNotThisTransaction;
  } else if (!rights->MayGroup(kRead, request.group_id)) {
    error = kNotThisGroup;
  }
  if (error != ErrorCode::kNone) {
    kafka::TxnOffsetCommitResponse response;
    RefuseAll(request.topics, &response.topics, [error](const auto& topic) {
      return RefusedTopic(topic, error);
    });
    return reply(std::move(response));
  }
  PassAllowed(
      &HandleTxnOffsetCommit, std::move(context), std::move(request),
      std::move(reply), &kafka::TxnOffsetCommitRequest::topics,
      &kafka::TxnOffsetCommitResponse::topics,
      [&](const auto& topic) { return rights->MayTopic(kRead, topic.name); },
      [](const auto& topic) { return RefusedTopic(topic, kNotThisTopic); });
}

// Of brokers, and of administrators who abort a transaction by hand.
void GuardWriteTxnMarkers(RequestContext context,
                          kafka::WriteTxnMarkersRequest request,
                          Reply<kafka::WriteTxnMarkersResponse> reply) {
  // Of brokers there are too many to be written down.
  if (context.rights->MayCluster(kClusterAction, Rights::Audit::kNo) ||
      context.rights->MayCluster(kAlter)) {
    return HandleWriteTxnMarkers(std::move(context), std::move(request),
                                 std::move(reply));
  }
  kafka::WriteTxnMarkersResponse response;
  for (const auto& marker : request.markers) {
    auto& to = response.markers.emplace_back();
    to.producer_id = marker.producer_id;
    for (const auto& topic : marker.topics) {
      auto& to_topic = to.topics.emplace_back();
      to_topic.name = topic.name;
      for (const PartitionIndex index : topic.partition_indexes) {
        to_topic.partitions.push_back({index, Code(kNotThisCluster)});
      }
    }
  }
  reply(std::move(response));
}

void GuardDescribeTransactions(
    RequestContext context, kafka::DescribeTransactionsRequest request,
    Reply<kafka::DescribeTransactionsResponse> reply) {
  using Response = kafka::DescribeTransactionsResponse;
  const auto rights = context.rights;
  Reply<Response> hidden = [rights,
                            reply = std::move(reply)](Response response) {
    for (auto& transaction : response.transaction_states) {
      std::erase_if(transaction.topics, [&](const auto& topic) {
        return !rights->MayTopic(kDescribe, topic.topic, Rights::Audit::kNo);
      });
    }
    reply(std::move(response));
  };
  PassAllowed(
      &HandleDescribeTransactions, std::move(context), std::move(request),
      std::move(hidden), &kafka::DescribeTransactionsRequest::transactional_ids,
      &Response::transaction_states,
      [&](const std::string& id) {
        return rights->MayTransaction(kDescribe, id);
      },
      [](const std::string& id) {
        Response::TransactionState out;
        out.transactional_id = id;
        out.error_code = Code(kNotThisTransaction);
        return out;
      });
}

void GuardListTransactions(RequestContext context,
                           kafka::ListTransactionsRequest request,
                           Reply<kafka::ListTransactionsResponse> reply) {
  const auto rights = context.rights;
  HandleListTransactions(
      std::move(context), std::move(request),
      [rights,
       reply = std::move(reply)](kafka::ListTransactionsResponse response) {
        std::erase_if(response.transaction_states, [&](const auto& one) {
          return !rights->MayTransaction(kDescribe, one.transactional_id,
                                         Rights::Audit::kNo);
        });
        reply(std::move(response));
      });
}

}  // namespace tidemark::server
