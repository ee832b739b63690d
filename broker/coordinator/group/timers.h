#pragma once

#include <optional>

#include "broker/coordinator/group/group.h"

namespace tidemark::coordinator {

// When OnTimer has something to do; nullopt: never, as things stand.
std::optional<Instant> NextDeadline(const Group& group);

// Ends sessions, join and sync phases and id reservations that are due.
void OnTimer(Group& group, Step& step);

}  // namespace tidemark::coordinator
