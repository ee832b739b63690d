#include "broker/replication/fetch_service.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "broker/replication/fetch_operation.h"
#include "common/base/dispatch.h"

namespace tidemark::replication {

namespace {

// Queries that a shard answers in one turn: others have theirs in between.
constexpr size_t kInATurn = 256;

// Queries that are asked of their shards and answered together: the one object
// that this takes, whatever their number.
template <class T, class Ask>
struct Asking {
  std::vector<OffsetQuery> queries;
  std::vector<Result<T>> answers;
  std::atomic<size_t> left;
  Executor* on;
  FetchService::Answers<T> done;
  Ask ask;

  using Self = std::shared_ptr<Asking>;

  static void Answered(const Self& self, size_t index, Result<T> answer) {
    self->answers[index] = std::move(answer);
    if (self->left.fetch_sub(1) > 1) return;
    self->on->Post([self] { self->done(std::move(self->answers)); });
  }

  // Those of `indexes` from `first` on, on the shard.
  static void AskMore(const Self& self, ReplicaShard& shard,
                      std::shared_ptr<const std::vector<size_t>> indexes,
                      size_t first) {
    const size_t end = std::min(first + kInATurn, indexes->size());
    for (size_t i = first; i < end; ++i) {
      const size_t index = (*indexes)[i];
      self->ask(shard, self->queries[index], [self, index](Result<T> answer) {
        Answered(self, index, std::move(answer));
      });
    }
    if (end == indexes->size()) return;
    shard.executor().Post([self, &shard, indexes, end] {
      AskMore(self, shard, std::move(indexes), end);
    });
  }
};

template <class T, class Ask>
void AskShards(ReplicaManagerImpl& replicas, std::vector<OffsetQuery> queries,
               Executor& on, FetchService::Answers<T> done, Ask ask) {
  const size_t count = queries.size();
  std::vector<std::shared_ptr<std::vector<size_t>>> by_shard(
      replicas.shard_count());
  for (size_t i = 0; i < count; ++i) {
    auto& of_shard = by_shard[replicas.ShardIndexOf(queries[i].partition)];
    if (of_shard == nullptr) of_shard = std::make_shared<std::vector<size_t>>();
    of_shard->push_back(i);
  }
  // One more than there are, so that none is an answer too.
  auto asking = std::make_shared<Asking<T, Ask>>(
      std::move(queries), std::vector<Result<T>>(count), count + 1, &on,
      std::move(done), std::move(ask));
  for (size_t s = 0; s < by_shard.size(); ++s) {
    if (by_shard[s] == nullptr) continue;
    ReplicaShard& shard = replicas.shard(s);
    shard.executor().Post(
        [asking, &shard, indexes = std::move(by_shard[s])]() mutable {
          Asking<T, Ask>::AskMore(asking, shard, std::move(indexes), 0);
        });
  }
  if (asking->left.fetch_sub(1) > 1) return;
  on.Post([asking] { asking->done(std::move(asking->answers)); });
}

}  // namespace

FetchService::FetchService(ReplicaManagerImpl& replicas,
                           const ImageHolder& metadata, Options options)
    : replicas_(replicas),
      metadata_(metadata),
      options_(options),
      sessions_(options.sessions, options.seed, &replicas.own_stats(),
                [&replicas](uint64_t list) {
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
                                query.current_leader_epoch,
                                query.read_committed, asker, std::move(answer));
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
