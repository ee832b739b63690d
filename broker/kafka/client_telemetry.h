#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/kafka/client_subscriptions.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/uuid.h"
#include "common/metadata/image.h"

namespace tidemark::server {

// What clients tell of themselves (KIP-714): which of their metrics each is to
// push, and what they last pushed, for /metrics. Any thread.
//
// Bounded: clients, series of a client and of all, bytes of a push and of what
// it unpacks to. A client that has not come for three intervals is forgotten.
class ClientTelemetry {
 public:
  struct Options {
    size_t max_bytes = 1 << 20;  // telemetry.max.bytes
    size_t most_clients = 16384;
    size_t most_series_of_client = 500;
    size_t most_series = 20'000;
  };
  explicit ClientTelemetry(const Options& options) : options_(options) {}

  struct Subscription {
    Uuid instance;
    int32_t id = 0;
    Duration interval{};
    std::vector<std::string> metrics;  // prefixes; "*": all; empty: none
  };
  // `instance`: zero for a client that has no id yet.
  // kThrottlingQuotaExceeded: too early, or there are too many clients.
  Result<Subscription> Subscribe(const AskingClient& client,
                                 const Uuid& instance,
                                 const metadata::Image& image, Instant now);

  struct Push {
    Uuid instance;
    int32_t subscription = 0;
    bool terminating = false;  // the client pushes no more
    int8_t compression = 0;
    std::string_view metrics;
  };
  // kInvalidRequest, kUnknownSubscriptionId, kThrottlingQuotaExceeded,
  // kUnsupportedCompressionType, kTelemetryTooLarge, kInvalidRecord.
  Status Take(const AskingClient& client, const Push& push,
              const metadata::Image& image, Instant now);

  using Labels = std::vector<std::pair<std::string, std::string>>;
  struct Series {
    std::string name;  // org.apache.kafka.producer.record.send.total
    Labels labels;     // the client's, and what it says itself
    bool counter = false;
    double value = 0;
  };
  // Of the clients that still come.
  std::vector<Series> All(Instant now) const;
  size_t max_bytes() const { return options_.max_bytes; }

 private:
  struct Instance {
    Subscription subscription;
    AskingClient client;
    Instant got{}, pushed{};  // when it last asked and pushed; 0: never
    bool refused = false;     // it has to ask again, however early
    bool terminated = false;
    std::map<std::pair<std::string, Labels>, Series> series;
  };

  // nullptr: there is no room. Under the lock.
  Instance* Find(const AskingClient& client, const Uuid& id,
                 const metadata::Image& image, Instant now);
  Status MayPush(const AskingClient& client, const Push& push,
                 const metadata::Image& image, Instant now);
  void Forget(Instant now);
  void Store(const Uuid& id, std::vector<Series> pushed,
             const std::vector<bool>& deltas);

  const Options options_;
  mutable std::mutex mutex_;  // of what follows
  ClientSubscriptions subscriptions_;
  std::map<Uuid, Instance> instances_;
  size_t series_ = 0;  // of all
  Instant looked_{};   // for those to forget
};

}  // namespace tidemark::server
