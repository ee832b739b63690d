#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "broker/metadata/image_holder.h"
#include "broker/replication/deadline_queue.h"
#include "broker/replication/fetch_session.h"
#include "broker/replication/replica_manager_impl.h"
#include "common/base/cancellation.h"
#include "common/base/executor.h"
#include "common/base/memory_budget.h"
#include "common/kafka/messages/fetch.h"

namespace tidemark::replication {

// What a fetch comes with besides its message.
struct FetchCall {
  int16_t version = 0;
  std::string listener;  // whose addresses leader hints carry
  Executor* on = nullptr;
  // Of the connection: a fetch that waits is answered at once when it goes.
  std::shared_ptr<Cancellation> cancellation;
  // What the answer takes of the broker's memory; null: nobody counts. A
  // consumer's fetch waits for it before it reads; a follower's does not, for
  // acknowledgements hang on it.
  std::shared_ptr<MemoryBudget::Lease> memory;
  // Whether who asks may read a topic, by the rules of that image; none:
  // everything. Of a consumer; a follower reads whatever it follows. A topic
  // that may not be read is TOPIC_AUTHORIZATION_FAILED.
  std::function<bool(const metadata::Image& image, const std::string& topic)>
      may_read;
  std::string asker;  // whose rights these are: who, and from where
};

struct OffsetQuery {
  TopicPartition partition;
  LeaderEpoch current_leader_epoch = -1;
  int64_t timestamp = 0;        // FindOffset
  LeaderEpoch epoch = -1;       // EndOffsets
  bool read_committed = false;  // FindOffset
};

// Everything that reads partitions for others: Fetch of consumers and of
// following replicas (sessions KIP-227, limits KIP-74, waits, leader hints
// KIP-951, transactions KIP-98), ListOffsets and OffsetForLeaderEpoch.
//
// Fetch: on the executor of the call, where `done` runs, possibly before the
// call has returned. The others: any thread; `done` runs on the executor of
// the call. Destroyed after the executors have stopped.
class FetchService {
 public:
  struct Options {
    // sessions: max.incremental.fetch.session.cache.slots
    FetchSessionCache::Limits sessions;
    int32_t max_bytes = 57671680;  // fetch.max.bytes
    // Consumers are sent to a replica in their own rack (KIP-392).
    bool rack_aware = false;
    // The longest a fetch is let wait, whatever it asks for.
    Duration max_wait = std::chrono::minutes(5);
    uint64_t seed = 0;
  };
  FetchService(ReplicaManagerImpl& replicas, const ImageHolder& metadata,
               Options options);

  using Done = std::function<void(kafka::FetchResponse)>;
  void Fetch(FetchCall call, kafka::FetchRequest request, Done done);

  // In the order of the queries.
  template <class T>
  using Answers = std::function<void(std::vector<Result<T>>)>;
  // `done` never runs once nobody holds `asker` any more; nullptr: it does.
  void FindOffsets(std::vector<OffsetQuery> queries, Executor& on,
                   std::shared_ptr<const void> asker,
                   Answers<log::TimestampedOffset> done);
  void EndOffsets(std::vector<OffsetQuery> queries, Executor& on,
                  Answers<log::EpochEnd> done);

  size_t sessions() const { return sessions_.size(); }

 private:
  friend class FetchOperation;

  // Of the fetches that wait on `on`. On that executor.
  DeadlineQueue& DeadlinesOf(Executor& on);

  ReplicaManagerImpl& replicas_;
  const ImageHolder& metadata_;
  const Options options_;
  FetchSessionCache sessions_;
  const std::shared_ptr<const void> nobody_ = std::make_shared<char>();
  std::mutex mutex_;  // of the map
  std::map<Executor*, std::unique_ptr<DeadlineQueue>> deadlines_;
};

}  // namespace tidemark::replication
