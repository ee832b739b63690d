#pragma once

#include <cstdint>
#include <limits>

namespace tidemark::coordinator {

// The settings groups obey: Kafka's names (dots as underscores) and defaults.
struct GroupConfig {
  int32_t group_min_session_timeout_ms = 6'000;
  int32_t group_max_session_timeout_ms = 1'800'000;
  int32_t group_initial_rebalance_delay_ms = 3'000;
  int32_t group_max_size = std::numeric_limits<int32_t>::max();
  int32_t offset_metadata_max_bytes = 4'096;
  int64_t offsets_retention_ms = 7LL * 24 * 3600 * 1000;
  int64_t offsets_retention_check_interval_ms = 600'000;
  int32_t offsets_commit_timeout_ms = 5'000;
  // How long a member that has not had its first answer may wait in a
  // rebalance; it cannot heartbeat, as it does not know its id yet.
  int32_t new_member_join_timeout_ms = 300'000;
};

}  // namespace tidemark::coordinator
