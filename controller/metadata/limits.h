#pragma once

#include <cstddef>

namespace tidemark::controller {

// Names, hosts and paths go to Kafka clients, whose strings end at 32,767
// bytes.
inline constexpr size_t kMaxText = 1024;

}  // namespace tidemark::controller
