#pragma once

#include <string_view>

namespace tidemark::server {

// Tells systemd (Type=notify), e.g. "READY=1". Does nothing when the process
// was not started by it.
void NotifySystemd(std::string_view state);

}  // namespace tidemark::server
