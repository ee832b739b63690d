#pragma once

#include <cstdint>

namespace tidemark::coordinator {

// The settings transactions obey: Kafka's names (dots as underscores) and
// defaults.
struct TransactionConfig {
  int32_t transaction_max_timeout_ms = 900'000;
  int64_t transactional_id_expiration_ms = 7LL * 24 * 3600 * 1000;
  int64_t expiration_check_interval_ms = 3'600'000;
  // How long a request waits for the end of the transaction before, which takes
  // milliseconds, before its client is told to come again.
  int32_t patience_ms = 1'000;
};

}  // namespace tidemark::coordinator
