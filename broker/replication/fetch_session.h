#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/replication/stats.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/uuid.h"
#include "common/kafka/messages/fetch.h"

namespace tidemark::replication {

class FetchOperation;

// One partition of a fetch: what is asked for and, in a session, what the
// fetcher was told last.
struct FetchedPartition {
  static constexpr size_t kNone = SIZE_MAX;

  std::string topic;  // "" when asked by an id that is not known
  Uuid topic_id;      // zero when asked by name
  kafka::FetchRequest::FetchPartition asked;
  size_t shard = kNone;  // whose ReadList has it
  size_t part = kNone;   // of the fetch that is under way
  bool told = false;     // the rest is valid
  Offset high_watermark = -1;
  Offset log_start_offset = -1;
  Offset keep_start = -1;

  // Whether an incremental answer has to carry `data`; remembers it as told.
  bool Tell(const kafka::FetchResponse::PartitionData& data);
};

// The partitions a fetcher reads, remembered between its requests (KIP-227).
// Which of them have anything to say is known to the ReadLists of the shards.
//
// Used by one fetch at a time, see FetchSessionCache.
class FetchSession {
 public:
  // `ended` runs when nobody uses the session any more, on any thread, if any
  // shard knows its list.
  FetchSession(int32_t id, bool by_id, bool follower, uint64_t list,
               std::function<void(uint64_t list)> ended)
      : id_(id),
        by_id_(by_id),
        follower_(follower),
        list_(list),
        ended_(std::move(ended)) {}
  ~FetchSession() {
    if (listed_ && ended_) ended_(list_);
  }
  FetchSession(const FetchSession&) = delete;
  FetchSession& operator=(const FetchSession&) = delete;

  int32_t id() const { return id_; }  // 0: of a single fetch
  bool by_id() const { return by_id_; }
  bool follower() const { return follower_; }
  // The name of its ReadLists, for the shards that keep one.
  uint64_t UseList() {
    listed_ = true;
    return list_;
  }
  size_t size() const { return partitions_.size(); }
  // What an answer can have at most when every partition gives all it may.
  size_t most_bytes() const { return most_bytes_; }

  // Adds or updates what `request` asks for, drops what it forgets. `asked`:
  // in the order of the request, each once.
  struct Changes {
    std::vector<FetchedPartition*> asked;
    std::vector<std::unique_ptr<FetchedPartition>> forgotten;
  };
  Changes Update(const kafka::FetchRequest& request);

  // Asked for by an id that nobody knows: tried again with every fetch.
  std::set<FetchedPartition*>& unknown() { return unknown_; }
  // That may not be read, and are on no ReadList: answered so every time.
  std::set<FetchedPartition*>& refused() { return refused_; }
  // Whose rights, by which rules, have sorted all partitions into those that
  // are refused and those that are not. Whether it was others before: then they
  // are to be sorted anew.
  bool SortBy(const std::string& asker, std::shared_ptr<const void> rules) {
    if (sorted_ && asker == asker_ && rules == rules_) return false;
    sorted_ = true;
    asker_ = asker;
    rules_ = std::move(rules);
    return true;
  }
  std::vector<FetchedPartition*> all() const {
    std::vector<FetchedPartition*> out;
    out.reserve(partitions_.size());
    for (const auto& [key, partition] : partitions_) {
      out.push_back(partition.get());
    }
    return out;
  }

 private:
  friend class FetchSessionCache;
  struct Key {
    Uuid topic_id;
    std::string topic;  // only when the id is zero
    PartitionIndex partition = 0;
    auto operator<=>(const Key&) const = default;
  };
  static Key KeyOf(const std::string& topic, const Uuid& id,
                   PartitionIndex partition);

  const int32_t id_;
  const bool by_id_;
  const bool follower_;
  const uint64_t list_;
  const std::function<void(uint64_t)> ended_;
  std::map<Key, std::unique_ptr<FetchedPartition>> partitions_;
  std::set<FetchedPartition*> unknown_, refused_;
  bool sorted_ = false;
  std::string asker_;
  std::shared_ptr<const void> rules_;
  size_t most_bytes_ = 0;
  bool listed_ = false;
  // The cache's, under its lock.
  int32_t next_epoch_ = 1;
  bool busy_ = false;
  std::weak_ptr<FetchOperation> user_;  // of a follower's
  int32_t hurried_epoch_ = 0;           // the fetch of it is not to wait
  size_t counted_ = 0;                  // its partitions, of the cache's
  Instant last_used_{};
};

// All sessions of a broker, a bounded number, and a bounded number of
// partitions in those of consumers. Any thread.
class FetchSessionCache {
 public:
  // About what a partition of a session takes here and in a ReadList.
  static constexpr size_t kBytesOfAPartition = 640;

  struct Limits {
    size_t sessions = 1000;
    size_t partitions = 1'000'000;  // of consumers
    // How long a session must have been idle to make room for another
    // (min.incremental.fetch.session.eviction.ms). A follower's may take the
    // place of any consumer's.
    Duration evict_after = std::chrono::minutes(2);
  };
  // `ended`: see FetchSession.
  FetchSessionCache(const Limits& limits, uint64_t seed, Stats* stats,
                    std::function<void(uint64_t)> ended)
      : limits_(limits),
        ended_(std::move(ended)),
        random_(seed),
        stats_(stats) {}

  // What a request's session id and epoch mean. The session is the caller's
  // alone until Release; a fetch without one gets one that nobody else will
  // find (id 0). `incremental`: the answer may leave out what has not changed;
  // `hurried`: see Hurry. Errors: kFetchSessionIdNotFound (also of one that has
  // become too large), kInvalidFetchSessionEpoch, kFetchSessionTopicIdError.
  struct Begun {
    std::shared_ptr<FetchSession> session;
    bool incremental = false;
    bool hurried = false;
  };
  Result<Begun> Begin(const kafka::FetchRequest& request, bool by_id,
                      bool follower, Instant now);
  // A follower's fetch that uses its session can be found by Hurry.
  void UsedBy(FetchSession& session, std::weak_ptr<FetchOperation> user);
  // The fetch of that session and epoch, of a follower, which is not to wait
  // any longer. nullptr: there is none; if it comes yet, Begin says `hurried`.
  std::shared_ptr<FetchOperation> Hurry(
      const kafka::FetchRequest::Waiting& fetch);
  void Release(const std::shared_ptr<FetchSession>& session);
  size_t size() const;

 private:
  using Sessions = std::unordered_map<int32_t, std::shared_ptr<FetchSession>>;
  std::shared_ptr<FetchSession> NewSession(int32_t id, bool by_id,
                                           bool follower);
  std::shared_ptr<FetchSession> Erase(int32_t id);
  // For a session of so many partitions.
  bool MakeRoom(bool follower, size_t partitions, Instant now,
                Sessions* evicted);
  bool IsFull(bool follower, size_t partitions) const;
  void Touch(FetchSession& session, Instant now);
  void Count(FetchSession& session, size_t partitions);

  const Limits limits_;
  const std::function<void(uint64_t)> ended_;
  mutable std::mutex mutex_;  // guards all below and the friends' part above
  Sessions sessions_;
  // By when they were last used: of consumers [0], of followers [1].
  std::set<std::pair<Instant, int32_t>> by_use_[2];
  size_t partitions_ = 0;
  uint64_t next_list_ = 1;
  std::mt19937_64 random_;
  Stats* const stats_;
};

}  // namespace tidemark::replication
