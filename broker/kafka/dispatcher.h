#pragma once

#include <array>
#include <span>

#include "broker/kafka/api.h"
#include "broker/kafka/handler.h"
#include "broker/kafka/network_metrics.h"
#include "broker/kafka/responder.h"

namespace tidemark::server {

// Finds a request's handler by its header. Any thread; immutable.
//
// As Kafka does, a request that cannot be understood (no header, an API or a
// version that is not served, a malformed body) closes its connection, with a
// rate-limited log line. The exception is ApiVersions in an unknown version,
// which is answered in version 0 with UNSUPPORTED_VERSION and the range of
// ApiVersions, so that a newer client can come down (KIP-511).
class Dispatcher {
 public:
  // All outlive the dispatcher.
  Dispatcher(std::span<const Api> table, const Services& services,
             NetworkMetrics& metrics);

  // `context` holds what the connection knows; the rest is filled in here.
  void Dispatch(RequestContext context, SharedBytes frame,
                Responder responder) const;

 private:
  const Services& services_;
  NetworkMetrics& metrics_;
  std::array<const Api*, kMaxApiKey + 1> by_key_{};
};

}  // namespace tidemark::server
