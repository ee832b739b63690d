#include "common/kafka/messages/add_partitions_to_txn.h"

#include <algorithm>

#include "broker/kafka/handlers/transaction_common.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Request = kafka::AddPartitionsToTxnRequest;
using Response = kafka::AddPartitionsToTxnResponse;
using Topics = std::vector<Request::AddPartitionsToTxnTopic>;
using TopicResults = std::vector<Response::AddPartitionsToTxnTopicResult>;

constexpr int16_t kFirstBatched = 4;
constexpr int16_t kFirstWithFenced = 2;

// One transaction, as it is asked for and answered.
struct Part {
  coordinator::AddPartitionsRequest request;
  Topics topics;
};

// Its own topic is nobody's to write to.
bool MayHold(const metadata::Image& image, const std::string& topic,
             PartitionIndex partition) {
  return topic != coordinator::kTransactionsTopic &&
         image.FindPartition(topic, partition) != nullptr;
}

TopicResults ResultsOf(
    const Topics& topics,
    const std::function<ErrorCode(const std::string&, PartitionIndex)>& error,
    int16_t version) {
  TopicResults out;
  for (const auto& topic : topics) {
    auto& to = out.emplace_back();
    to.name = topic.name;
    for (const PartitionIndex partition : topic.partitions) {
      to.results_by_partition.push_back(
          {partition, FencedField(error(topic.name, partition), version,
                                  kFirstWithFenced)});
    }
  }
  return out;
}

// All partitions or none: one that is not there leaves the others unattempted.
void Ask(const RequestContext& context, Part part,
         std::function<void(TopicResults)> done) {
  const metadata::ImagePtr image = context.services->metadata->Get();
  bool all = true;
  for (const auto& topic : part.topics) {
    for (const PartitionIndex partition : topic.partitions) {
      all = all && MayHold(*image, topic.name, partition);
      part.request.partitions.push_back({topic.name, partition});
    }
  }
  const int16_t version = context.version;
  if (!all) {
    return done(ResultsOf(
        part.topics,
        [&](const std::string& topic, PartitionIndex partition) {
          return MayHold(*image, topic, partition)
                     ? ErrorCode::kOperationNotAttempted
                     : ErrorCode::kUnknownTopicOrPartition;
        },
        version));
  }
  coordinator::TransactionCoordinator* transactions = TransactionsOf(context);
  if (transactions == nullptr) {
    return done(ResultsOf(
        part.topics, [](auto&, auto) { return ErrorCode::kInvalidTxnState; },
        version));
  }
  transactions->AddPartitions(
      std::move(part.request),
      [topics = std::move(part.topics), version,
       done = std::move(done)](const coordinator::AddPartitionsResult& result) {
        size_t next = 0;
        done(ResultsOf(
            topics,
            [&](auto&, auto) {
              return result.error != ErrorCode::kNone
                         ? result.error
                         : result.partitions.at(next++);
            },
            version));
      });
}

}  // namespace

void HandleAddPartitionsToTxn(RequestContext context, Request request,
                              Reply<Response> reply) {
  if (context.version < kFirstBatched) {
    Part part{.request = {.transactional_id =
                              std::move(request.v3_and_below_transactional_id),
                          .producer_id = request.v3_and_below_producer_id,
                          .epoch = request.v3_and_below_producer_epoch,
                          .partitions = {}},
              .topics = std::move(request.v3_and_below_topics)};
    return Ask(context, std::move(part),
               [reply = std::move(reply)](TopicResults results) {
                 Response response;
                 response.results_by_topic_v3_and_below = std::move(results);
                 reply(std::move(response));
               });
  }
  auto parts = std::make_shared<std::vector<Part>>();
  std::vector<std::string> ids;
  for (auto& transaction : request.transactions) {
    ids.push_back(transaction.transactional_id);
    const int16_t client_version = transaction.verify_only
                                       ? int16_t{0}
                                       : coordinator::kEpochPerTransaction;
    parts->push_back({.request = {.transactional_id =
                                      std::move(transaction.transactional_id),
                                  .producer_id = transaction.producer_id,
                                  .epoch = transaction.producer_epoch,
                                  .partitions = {},
                                  .verify_only = transaction.verify_only,
                                  .client_version = client_version},
                      .topics = std::move(transaction.topics)});
  }
  Gather<TopicResults>::Run(
      parts->size(),
      [ids = std::move(ids),
       reply = std::move(reply)](std::vector<TopicResults> results) {
        Response response;
        for (size_t i = 0; i < results.size(); ++i) {
          response.results_by_transaction.push_back(
              {ids[i], std::move(results[i])});
        }
        reply(std::move(response));
      },
      [context = std::move(context), parts](
          size_t index, std::function<void(TopicResults)> done) {
        Ask(context, std::move((*parts)[index]), std::move(done));
      });
}

}  // namespace tidemark::server
