#include "broker/replication/peer_probe.h"

#include <algorithm>
#include <utility>

namespace tidemark::replication {

PeerProbe::PeerProbe(Executor& executor, const FetcherOptions& options,
                     NodeId peer, std::string host, uint16_t port,
                     const TransportFactory& connect, FetchTarget& target)
    : executor_(executor),
      options_(options),
      host_(std::move(host)),
      port_(port),
      target_(target),
      transport_(connect(executor, host_, port_)),
      watcher_(executor, std::chrono::milliseconds(options.max_wait_ms),
               [&target, peer](PeerStanding standing) {
                 target.Standing(peer, standing);
               }),
      pause_(options.reconnect_min) {
  executor_.Post([this, alive = alive_] {
    if (*alive) Ask();
  });
}

PeerProbe::~PeerProbe() {
  *alive_ = false;
  transport_->Close();
}

void PeerProbe::Ask() {
  kafka::FetchRequest request;
  request.replica_id = options_.self;
  request.replica_state.replica_id = options_.self;
  request.replica_state.replica_epoch = target_.broker_epoch();
  request.session_epoch = -1;
  request.max_wait_ms = options_.max_wait_ms;
  request.min_bytes = 1;
  request.max_bytes = 1;
  asked_at_ = executor_.Now();
  watcher_.Sent();
  transport_->Send(
      std::move(request),
      [this, alive = alive_](const Result<kafka::FetchResponse>& response) {
        if (*alive) Answered(response);
      });
}

// An answer is an answer, also one that refuses this broker, as when the peer
// has not heard of it yet; but that one has not waited.
void PeerProbe::Answered(const Result<kafka::FetchResponse>& response) {
  watcher_.Done(response ? Status() : Fail(response.error()));
  Duration pause{};
  if (response && response->error_code == 0) {
    pause_ = options_.reconnect_min;
    // A peer that does not let it wait is not asked more often.
    pause = asked_at_ + std::chrono::milliseconds(options_.max_wait_ms / 2) -
            executor_.Now();
  } else {
    pause = std::exchange(pause_, std::min(pause_ * 2, options_.reconnect_max));
  }
  executor_.PostAfter(std::max(pause, Duration::zero()),
                      [this, alive = alive_] {
                        if (*alive) Ask();
                      });
}

}  // namespace tidemark::replication
