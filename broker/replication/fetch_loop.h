#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/replication/partition.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/kafka/messages/fetch.h"

namespace tidemark::replication {

struct FetcherOptions {
  NodeId self = kNoNode;
  int32_t max_wait_ms = 500;              // replica.fetch.wait.max.ms
  int32_t min_bytes = 1;                  // replica.fetch.min.bytes
  int32_t max_bytes = 10 << 20;           // replica.fetch.response.max.bytes
  int32_t partition_max_bytes = 1 << 20;  // replica.fetch.max.bytes
  // Of one partition that gets nowhere: doubles up to the maximum.
  Duration error_backoff_min = std::chrono::milliseconds(20);
  Duration error_backoff_max = std::chrono::milliseconds(500);
  // The first time soon: it tells whether the leader's process is gone.
  Duration reconnect_min = std::chrono::milliseconds(10);
  Duration reconnect_max = std::chrono::seconds(1);
  // A parked fetch is called back for partitions of a new epoch at most this
  // often: many change one after the other.
  Duration recall_every = std::chrono::milliseconds(5);
  // How long the next fetch may wait for the disk.
  Duration hold = std::chrono::milliseconds(2);
};

// What to ask one leader, and when: Kafka's Fetch with an incremental session
// (KIP-227), so that a round costs what has changed.
//
// Two requests may be out. The fetch is parked at the leader when there is
// nothing new. When the disk is done with what an answer brought, the leader
// must hear of it at once. As long as the disk is quick the next fetch waits
// for it and says so itself: one request a round. A disk that takes longer than
// `hold` is not waited for: network and disk overlap, and what is flushed while
// the fetch is out goes into a report: a fetch without session that asks for no
// bytes and does not wait, on a connection of its own, because the answers of a
// connection come in order. One report is out at a time and carries every
// partition flushed meanwhile: under load about one a sync round.
//
// A partition that joins, has a new epoch, or was cut while the fetch is parked
// would have to wait for it; then the report asks the leader to answer that
// fetch now (`ends_wait`), since a leader elected in a failover commits nothing
// before its followers have fetched (B-22). The session stays: what joins costs
// what joins. A fetch that begins a session does not wait and needs none of
// this.
//
// A partition whose answer said something and left it where it was is asked
// for again after a pause only, and leaves the session meanwhile: whatever the
// reason, it cannot be fetched in a tight loop, nor hold up the others.
//
// Pure: state in, what to do out; the positions of the followers come in as a
// function. Cost per round: the partitions that changed.
class FetchLoop {
 public:
  FetchLoop(const FetcherOptions& options, NodeId leader);

  // The partition follows this leader from now on, in the epoch it has.
  void Add(const TopicPartition& name, const Uuid& topic_id);
  void Remove(const TopicPartition& name);
  // The follower's disk has caught up with what was appended.
  void Flushed(const TopicPartition& name, Instant now);
  // It had no position for a while, and may have one again. Not `moved`: it is
  // where it was, and asked for after a pause only.
  void Resume(const TopicPartition& name, bool moved, Instant now);
  bool empty() const { return partitions_.empty(); }

  // Nothing is asked for it for a while: it is throttled.
  void Pause(const TopicPartition& name, Instant until);
  // nullopt: there is nothing to fetch for it.
  using PositionOf = std::function<std::optional<FetchPositionOfFollower>(
      const TopicPartition&)>;
  struct Ready {
    std::optional<kafka::FetchRequest> fetch;
    uint64_t round = 0;  // of `fetch`, for FetchDone
    std::optional<kafka::FetchRequest> report;
    std::optional<Instant> wake;  // ask again then, whatever happens
  };
  // What is due. Everything in it counts as done.
  Ready Take(Instant now, BrokerEpoch broker_epoch, const PositionOf& position);

  // A partition's part of an answer, for the caller to apply; `data` points
  // into the answer.
  struct Arrival {
    TopicPartition name;
    AskedWith asked;
    const kafka::FetchResponse::PartitionData* data = nullptr;
  };
  // An answer of another round than the newest is ignored.
  std::vector<Arrival> FetchDone(uint64_t round,
                                 const Result<kafka::FetchResponse>& response,
                                 Instant now);
  // After an arrival of FetchDone was applied; `position`: as Take would see.
  void Applied(const Arrival& arrival,
               const std::optional<FetchPositionOfFollower>& position,
               Instant now);
  std::vector<Arrival> ReportDone(const Result<kafka::FetchResponse>& response,
                                  Instant now);

 private:
  struct State {
    Uuid topic_id;
    bool in_session = false;  // the leader's session knows it
    std::optional<Instant> delayed_until;
    Duration backoff{};
    // How many more pauses may end with a recall: the leader of a new epoch may
    // hear of it later than its followers.
    int eager = 0;
    bool recalls = false;  // at the end of this pause
    // What the session asks for it.
    AskedWith asked;
  };

  void WakeDelayed(Instant now);
  bool IsHeld(Instant now, Ready* ready);
  bool Recalls(Instant now, Ready* ready);
  int32_t MaxWaitMs() const;
  void BuildFetch(BrokerEpoch broker_epoch, const PositionOf& position,
                  Ready* ready);
  void BuildReport(BrokerEpoch broker_epoch, bool recall,
                   const PositionOf& position, Ready* ready);
  kafka::FetchRequest NewRequest(BrokerEpoch broker_epoch) const;
  std::optional<AskedWith> Ask(const TopicPartition& name, const State& state,
                               const PositionOf& position, int32_t max_bytes,
                               kafka::FetchRequest* request) const;
  void LeaveSession(const TopicPartition& name, State& state);
  void ResetSession();
  void Delay(const TopicPartition& name, State& state, bool leader_may_be_late,
             Instant now);
  void Undelay(const TopicPartition& name, State& state);
  std::vector<Arrival> Arrivals(const kafka::FetchResponse& response);
  void CountTopic(const Uuid& id, const std::string& name);
  void UncountTopic(const Uuid& id);

  const FetcherOptions options_;
  const NodeId leader_;

  std::map<TopicPartition, State> partitions_;
  struct Topic {
    std::string name;
    size_t partitions = 0;
  };
  std::map<Uuid, Topic> topics_;    // for answers, which carry ids
  std::set<TopicPartition> dirty_;  // to be asked for anew
  // To tell the session.
  std::set<std::pair<TopicPartition, Uuid>> forgotten_;
  std::set<std::pair<Instant, TopicPartition>> delayed_;
  int32_t session_id_ = 0;
  int32_t session_epoch_ = 0;
  size_t session_size_ = 0;
  // The leader has no room for one: then a whole fetch may wait a little, or
  // it would come again at once.
  bool session_refused_ = false;

  // What the newest answers brought and the disk has not got yet, and since
  // when; whether it took longer than `hold` last time.
  std::set<TopicPartition> unflushed_;
  Instant unflushed_since_{};
  bool disk_is_slow_ = false;

  bool fetch_out_ = false;
  uint64_t round_ = 0;  // of the newest fetch
  Instant fetch_not_before_{};
  Duration reconnect_backoff_;
  bool recall_wanted_ = false;
  uint64_t recalled_ = 0;  // the round that the newest recall was for
  std::optional<Instant> last_recall_;

  bool report_out_ = false;
  Instant report_not_before_{};
  std::set<TopicPartition> to_report_;
  std::map<TopicPartition, AskedWith> reported_;  // by the report that is out
};

}  // namespace tidemark::replication
