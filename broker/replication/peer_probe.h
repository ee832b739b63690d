#pragma once

#include <memory>
#include <string>

#include "broker/replication/fetcher.h"

namespace tidemark::replication {

// Watches a broker that follows this one and is not followed itself: its death
// holds up every write until it is out of the ISR. Asks for nothing, with a
// fetch that is parked; so the end of its process is seen at once.
//
// On the executor. Two requests a second.
class PeerProbe {
 public:
  PeerProbe(Executor& executor, const FetcherOptions& options, NodeId peer,
            std::string host, uint16_t port, const TransportFactory& connect,
            FetchTarget& target);
  ~PeerProbe();

  const std::string& host() const { return host_; }
  uint16_t port() const { return port_; }

 private:
  void Ask();
  void Answered(const Result<kafka::FetchResponse>& response);

  Executor& executor_;
  const FetcherOptions options_;
  const std::string host_;
  const uint16_t port_;
  FetchTarget& target_;
  std::unique_ptr<FetchTransport> transport_;
  PeerWatcher watcher_;
  Instant asked_at_;
  Duration pause_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tidemark::replication
