#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark::replication {

// What a broker sees of another that it fetches from.
enum class PeerStanding : uint8_t {
  kUnknown,  // it has not answered yet, or is not fetched from
  kAnswers,
  kRefuses,  // nobody listens at its address
  kSilent,   // a fetch is out for longer than it may be parked
};

// The standing of one leader by the fetches to it. Pure: time is an argument,
// and the caller wakes it.
class FetchWatch {
 public:
  // How late after the longest wait an answer may be. A leader that has much to
  // read is late, too: alone, silence costs nobody its leaderships.
  static constexpr Duration kLate = std::chrono::milliseconds(200);

  explicit FetchWatch(Duration longest_wait)
      : patience_(longest_wait + kLate) {}

  void Sent(Instant now);
  void Done(const Status& answer);
  // To be called at due(), if there is one: silent for so long then. Called
  // much later, it was this process that stood still, and the peer gets its
  // time anew.
  void Wake(Instant now);
  std::optional<Instant> due() const;
  PeerStanding standing() const { return standing_; }

 private:
  const Duration patience_;
  // The first fetch since it last answered.
  std::optional<Instant> unanswered_since_;
  PeerStanding standing_ = PeerStanding::kUnknown;
};

// A FetchWatch with a timer, that says when the standing changes: first from
// kUnknown, and back to it at the end. One timer at a time, renewed when it is
// over: answers come often. On the executor.
class PeerWatcher {
 public:
  PeerWatcher(Executor& executor, Duration longest_wait,
              std::function<void(PeerStanding)> tell)
      : executor_(executor), tell_(std::move(tell)), watch_(longest_wait) {}
  ~PeerWatcher();
  PeerWatcher(const PeerWatcher&) = delete;
  PeerWatcher& operator=(const PeerWatcher&) = delete;

  // As of FetchWatch.
  void Sent();
  void Done(const Status& answer);

 private:
  void Look();

  Executor& executor_;
  const std::function<void(PeerStanding)> tell_;
  FetchWatch watch_;
  PeerStanding told_ = PeerStanding::kUnknown;
  bool waiting_ = false;  // the timer runs
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// What this broker tells the controllers of the others.
struct PeerReport {
  std::vector<NodeId> refusing, silent;  // in order

  bool operator==(const PeerReport&) const = default;
};

// The standings that all shards see, as one report. A plain value.
class PeerStandings {
 public:
  void Set(size_t shard, NodeId peer, PeerStanding standing);
  // A peer is silent when it is to all that fetch from it: one shard of it may
  // be busy.
  PeerReport Report() const;

 private:
  std::map<NodeId, std::map<size_t, PeerStanding>> peers_;  // without kUnknown
};

}  // namespace tidemark::replication
