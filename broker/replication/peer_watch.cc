#include "broker/replication/peer_watch.h"

#include <algorithm>

namespace tidemark::replication {
namespace {

// A timer that is so much late says that this process did not run.
constexpr Duration kOwnPause = std::chrono::milliseconds(100);

}  // namespace

void FetchWatch::Sent(Instant now) {
  if (!unanswered_since_) unanswered_since_ = now;
}

void FetchWatch::Done(const Status& answer) {
  if (answer) {
    unanswered_since_.reset();
    standing_ = PeerStanding::kAnswers;
  } else if (answer.error().code == ErrorCode::kBrokerNotAvailable) {
    standing_ = PeerStanding::kRefuses;
  }
}

void FetchWatch::Wake(Instant now) {
  const auto at = due();
  if (!at || now < *at) return;
  if (now - *at > kOwnPause) {
    unanswered_since_ = now;
  } else {
    standing_ = PeerStanding::kSilent;
  }
}

std::optional<Instant> FetchWatch::due() const {
  if (!unanswered_since_ || standing_ == PeerStanding::kSilent ||
      standing_ == PeerStanding::kRefuses) {
    return std::nullopt;
  }
  return *unanswered_since_ + patience_;
}

PeerWatcher::~PeerWatcher() {
  *alive_ = false;
  if (told_ != PeerStanding::kUnknown) tell_(PeerStanding::kUnknown);
}

void PeerWatcher::Sent() {
  watch_.Sent(executor_.Now());
  Look();
}

void PeerWatcher::Done(const Status& answer) {
  watch_.Done(answer);
  Look();
}

void PeerWatcher::Look() {
  if (watch_.standing() != told_) {
    told_ = watch_.standing();
    tell_(told_);
  }
  const auto due = watch_.due();
  if (waiting_ || !due) return;
  waiting_ = true;
  executor_.PostAfter(std::max(Duration::zero(), *due - executor_.Now()),
                      [this, alive = alive_] {
                        if (!*alive) return;
                        waiting_ = false;
                        watch_.Wake(executor_.Now());
                        Look();
                      });
}

void PeerStandings::Set(size_t shard, NodeId peer, PeerStanding standing) {
  auto& seen = peers_[peer];
  if (standing == PeerStanding::kUnknown) {
    seen.erase(shard);
  } else {
    seen[shard] = standing;
  }
  if (seen.empty()) peers_.erase(peer);
}

PeerReport PeerStandings::Report() const {
  PeerReport report;
  for (const auto& [peer, seen] : peers_) {
    const auto is = [&seen](PeerStanding standing) {
      return std::count_if(seen.begin(), seen.end(), [standing](const auto& s) {
        return s.second == standing;
      });
    };
    if (is(PeerStanding::kRefuses) > 0 && is(PeerStanding::kAnswers) == 0) {
      report.refusing.push_back(peer);
    } else if (is(PeerStanding::kSilent) == std::ssize(seen)) {
      report.silent.push_back(peer);
    }
  }
  return report;
}

}  // namespace tidemark::replication
