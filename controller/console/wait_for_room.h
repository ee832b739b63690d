#pragma once

#include <functional>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "controller/console/controller_config.h"

namespace tidemark::controller {

// Returns when the disk of the controller has the room that its storage needs
// to be opened, and may need to end what it has begun; until then it says so in
// the log, /readyz and /metrics, as a controller does whose disk fills up while
// it runs. The brokers and the other controllers find nobody at its address.
//
// `pause`: waits so long; false when the process is to end, which is returned.
Result<bool> WaitForRoom(const ControllerConfig& config,
                         const std::function<bool(Duration)>& pause);

}  // namespace tidemark::controller
