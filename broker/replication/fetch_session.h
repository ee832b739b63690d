#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/replication/stats.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/uuid.h"
#include "common/kafka/messages/fetch.h"

namespace tidemark::replication {

// One partition of a fetch: what is asked for and, in a session, what the
// fetcher was told last.
struct FetchedPartition {
  std::string topic;  // "" when asked by an id that is not known
  Uuid topic_id;      // zero when asked by name
  kafka::FetchRequest::FetchPartition asked;
  bool told = false;  // the rest is valid
  Offset high_watermark = -1;
  Offset log_start_offset = -1;
};

// The partitions a fetcher reads, remembered between its requests (KIP-227).
// In the order of service: one that gave data goes to the end, so that none
// starves when answers are full.
//
// Used by one fetch at a time, see FetchSessionCache.
class FetchSession {
 public:
  struct Key {
    Uuid topic_id;
    std::string topic;  // only when the id is zero
    PartitionIndex partition = 0;
    auto operator<=>(const Key&) const = default;
  };

  FetchSession(int32_t id, bool by_id, bool follower)
      : id_(id), by_id_(by_id), follower_(follower) {}

  int32_t id() const { return id_; }
  bool by_id() const { return by_id_; }
  bool follower() const { return follower_; }
  size_t size() const { return index_.size(); }

  // Adds or updates what `request` asks for, drops what it forgets.
  void Update(const kafka::FetchRequest& request);
  std::list<FetchedPartition>& partitions() { return order_; }
  // Whether an incremental answer has to carry `data`; remembers it as told.
  // Moves a partition with data to the end: iterators stay valid.
  bool Tell(std::list<FetchedPartition>::iterator partition,
            const kafka::FetchResponse::PartitionData& data);

 private:
  friend class FetchSessionCache;
  static Key KeyOf(const std::string& topic, const Uuid& id,
                   PartitionIndex partition);

  const int32_t id_;
  const bool by_id_;
  const bool follower_;
  std::list<FetchedPartition> order_;
  std::map<Key, std::list<FetchedPartition>::iterator> index_;
  // The cache's, under its lock.
  int32_t next_epoch_ = 1;
  bool busy_ = false;
  Instant last_used_{};
};

// All sessions of a broker, a bounded number. Any thread.
class FetchSessionCache {
 public:
  // `evict_after`: how long a session must have been idle to make room for
  // another (min.incremental.fetch.session.eviction.ms); a follower's session
  // may take the place of any consumer's.
  FetchSessionCache(size_t limit, Duration evict_after, uint64_t seed,
                    Stats* stats)
      : limit_(limit),
        evict_after_(evict_after),
        random_(seed),
        stats_(stats) {}

  // What a request's session id and epoch mean. The session is nullptr for a
  // fetch without one; otherwise it is the caller's alone until Release, and
  // has been updated from `request`. `incremental`: the answer may leave out
  // what has not changed. Errors: kFetchSessionIdNotFound,
  // kInvalidFetchSessionEpoch, kFetchSessionTopicIdError.
  struct Begun {
    std::shared_ptr<FetchSession> session;
    bool incremental = false;
  };
  Result<Begun> Begin(const kafka::FetchRequest& request, bool by_id,
                      bool follower, Instant now);
  void Release(const std::shared_ptr<FetchSession>& session);
  size_t size() const;

 private:
  void Erase(int32_t id);
  bool MakeRoom(bool follower, Instant now);

  const size_t limit_;
  const Duration evict_after_;
  mutable std::mutex mutex_;  // guards all below and the friends' part above
  std::unordered_map<int32_t, std::shared_ptr<FetchSession>> sessions_;
  std::mt19937_64 random_;
  Stats* const stats_;
};

}  // namespace tidemark::replication
