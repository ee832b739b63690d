#include "broker/replication/fetch_service.h"

#include <atomic>
#include <utility>

#include "broker/replication/fetch_operation.h"
#include "common/base/dispatch.h"

namespace tidemark::replication {

namespace {

// Asks every query of its shard and answers them together.
template <class T, class Ask>
void AskShards(ReplicaManagerImpl& replicas, std::vector<OffsetQuery> queries,
               Executor& on, FetchService::Answers<T> done, Ask ask) {
  struct Gather {
    std::vector<OffsetQuery> queries;
    std::vector<Result<T>> answers;
    std::atomic<size_t> left;
  };
  auto gather = std::make_shared<Gather>();
  gather->answers.resize(queries.size());
  gather->left = queries.size();
  gather->queries = std::move(queries);
  if (gather->queries.empty()) {
    on.Post([gather, done = std::move(done)] { done(gather->answers); });
    return;
  }
  for (size_t i = 0; i < gather->queries.size(); ++i) {
    const TopicPartition& partition = gather->queries[i].partition;
    ReplicaShard& shard = replicas.shard(replicas.ShardIndexOf(partition));
    shard.executor().Post([gather, &shard, i, ask, &on, done] {
      ask(shard, gather->queries[i], [gather, i, &on, done](Result<T> answer) {
        gather->answers[i] = std::move(answer);
        if (gather->left.fetch_sub(1) == 1) {
          on.Post([gather, done] { done(std::move(gather->answers)); });
        }
      });
    });
  }
}

}  // namespace

FetchService::FetchService(ReplicaManagerImpl& replicas,
                           const ImageHolder& metadata, Options options)
    : replicas_(replicas),
      metadata_(metadata),
      options_(options),
      sessions_(options.max_sessions, options.session_eviction, options.seed,
                &replicas.own_stats(), [&replicas](uint64_t list) {
                  for (size_t i = 0; i < replicas.shard_count(); ++i) {
                    ReplicaShard& shard = replicas.shard(i);
                    Dispatch(shard.executor(),
                             [&shard, list] { shard.read().Drop(list); });
                  }
                }) {}

void FetchService::Fetch(FetchCall call, kafka::FetchRequest request,
                         Done done) {
  Stats::Add(replicas_.own_stats().fetch_requests, 1);
  std::make_shared<FetchOperation>(*this, std::move(call), std::move(request),
                                   std::move(done))
      ->Start();
}

DeadlineQueue& FetchService::DeadlinesOf(Executor& on) {
  std::lock_guard lock(mutex_);
  auto& queue = deadlines_[&on];
  if (queue == nullptr) queue = std::make_unique<DeadlineQueue>(on);
  return *queue;
}

void FetchService::FindOffsets(std::vector<OffsetQuery> queries, Executor& on,
                               std::shared_ptr<const void> asker,
                               Answers<log::TimestampedOffset> done) {
  AskShards<log::TimestampedOffset>(
      replicas_, std::move(queries), on, std::move(done),
      [asker = std::weak_ptr<const void>(asker ? asker : nobody_)](
          ReplicaShard& shard, const OffsetQuery& query, auto answer) {
        shard.read().FindOffset(query.partition, query.timestamp,
                                query.current_leader_epoch, asker,
                                std::move(answer));
      });
}

void FetchService::EndOffsets(std::vector<OffsetQuery> queries, Executor& on,
                              Answers<log::EpochEnd> done) {
  AskShards<log::EpochEnd>(
      replicas_, std::move(queries), on, std::move(done),
      [](ReplicaShard& shard, const OffsetQuery& query, auto answer) {
        answer(shard.read().EndOffsetFor(query.partition, query.epoch,
                                         query.current_leader_epoch));
      });
}

}  // namespace tidemark::replication
