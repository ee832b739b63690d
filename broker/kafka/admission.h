#pragma once

#include <cstddef>
#include <memory>

#include "broker/kafka/connection_limits.h"
#include "common/base/memory_budget.h"

namespace tidemark::server {

// What all connections of a broker share, and wait for or are refused by when
// it is used up. Outlives them. Any thread.
struct Admission {
  struct Options {
    int64_t max_connections = INT32_MAX;
    int64_t max_connections_per_address = INT32_MAX;
    size_t request_bytes = size_t{1} << 30;
    size_t answer_bytes = size_t{1} << 30;
  };
  explicit Admission(const Options& options)
      : connections(options.max_connections,
                    options.max_connections_per_address),
        requests(MemoryBudget::Make(options.request_bytes)),
        answers(MemoryBudget::Make(options.answer_bytes)) {}

  ConnectionLimits connections;
  // Bytes of requests, from the socket until nobody looks at them any more.
  const std::shared_ptr<MemoryBudget> requests;
  // Bytes of answers, from before they are read or made until they are sent.
  const std::shared_ptr<MemoryBudget> answers;
};

}  // namespace tidemark::server
