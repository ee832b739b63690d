#include "common/kafka/messages/offset_fetch.h"

#include <set>

#include "broker/kafka/handlers/group_common.h"

namespace tidemark::server {
namespace {

using Request = kafka::OffsetFetchRequest;
using Response = kafka::OffsetFetchResponse;

constexpr int16_t kFirstWithGroupError = 2;
constexpr int16_t kFirstBatched = 8;

// Each partition once, where it came first: its offset comes with a text.
// Both layouts have the same shape under different names.
template <class Topics>
std::optional<std::vector<TopicPartition>> PartitionsOf(
    const std::optional<Topics>& topics) {
  if (!topics) return std::nullopt;
  std::vector<TopicPartition> out;
  std::set<TopicPartition> seen;
  for (const auto& topic : *topics)
    for (const int32_t index : topic.partition_indexes)
      if (seen.insert({topic.name, index}).second)
        out.push_back({topic.name, index});
  return out;
}

// Consecutive partitions of a topic under one entry, in the order asked.
template <class Topic>
std::vector<Topic> TopicsOf(const coordinator::FetchResult& result,
                            ErrorCode error) {
  std::vector<Topic> out;
  for (const auto& p : result.partitions) {
    if (out.empty() || out.back().name != p.partition.topic)
      out.push_back({.name = p.partition.topic});
    out.back().partitions.push_back(
        {.partition_index = p.partition.partition,
         .committed_offset = p.value.offset,
         .committed_leader_epoch = p.value.leader_epoch,
         .metadata = p.value.metadata,
         .error_code =
             ErrorField(error != ErrorCode::kNone ? error : p.error)});
  }
  return out;
}

// As asked, without offsets: the only place for an error before version 2.
coordinator::FetchResult Nothing(const coordinator::FetchRequest& asked) {
  coordinator::FetchResult out;
  if (asked.partitions)
    for (const TopicPartition& p : *asked.partitions)
      out.partitions.push_back({p, {}});
  return out;
}

void FetchOne(const RequestContext& context, Request request,
              Reply<Response> reply) {
  coordinator::FetchRequest fetch{.group_id = std::move(request.group_id),
                                  .partitions = PartitionsOf(request.topics),
                                  .require_stable = request.require_stable};
  auto nothing = Nothing(fetch);
  context.services->groups->Fetch(
      std::move(fetch),
      [version = context.version, nothing = std::move(nothing),
       reply = std::move(reply)](coordinator::FetchResult result) {
        const ErrorCode error = result.error;
        Response response{.error_code = ErrorField(error)};
        if (error != ErrorCode::kNone && version < kFirstWithGroupError)
          result = nothing;
        response.topics =
            TopicsOf<Response::OffsetFetchResponseTopic>(result, error);
        reply(std::move(response));
      });
}

// Groups that are named again are as good as not named again.
void KeepFirst(std::vector<Request::OffsetFetchRequestGroup>* groups) {
  std::set<std::string> seen;
  std::erase_if(*groups, [&](const auto& group) {
    return !seen.insert(group.group_id).second;
  });
}

void FetchMany(const RequestContext& context, Request request,
               Reply<Response> reply) {
  using Result = coordinator::FetchResult;
  if (request.groups.size() > kMaxGroupsInARequest) return;
  KeepFirst(&request.groups);
  std::vector<std::string> ids;
  for (const auto& group : request.groups) ids.push_back(group.group_id);
  const size_t count = ids.size();
  auto answer = [ids = std::move(ids),
                 reply = std::move(reply)](std::vector<Result> results) {
    Response response;
    for (size_t i = 0; i < ids.size(); ++i) {
      response.groups.push_back(
          {.group_id = ids[i],
           .topics = TopicsOf<Response::OffsetFetchResponseTopics>(
               results[i], ErrorCode::kNone),
           .error_code = ErrorField(results[i].error)});
    }
    reply(std::move(response));
  };
  Gather<Result>::Run(count, std::move(answer),
                      [groups = context.services->groups,
                       request = std::move(request)](size_t i, auto done) {
                        const auto& group = request.groups[i];
                        groups->Fetch(
                            {.group_id = group.group_id,
                             .partitions = PartitionsOf(group.topics),
                             .require_stable = request.require_stable},
                            std::move(done));
                      });
}

}  // namespace

void HandleOffsetFetch(RequestContext context, Request request,
                       Reply<Response> reply) {
  if (context.version < kFirstBatched) {
    FetchOne(context, std::move(request), std::move(reply));
  } else {
    FetchMany(context, std::move(request), std::move(reply));
  }
}

}  // namespace tidemark::server
