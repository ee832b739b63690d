#pragma once

#include <string_view>

namespace tidemark::rpc {

// Tells the service manager, if there is one (sd_notify's protocol: a
// datagram to $NOTIFY_SOCKET), e.g. "READY=1" or "STOPPING=1".
void NotifyServiceManager(std::string_view state);

}  // namespace tidemark::rpc
