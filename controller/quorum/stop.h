#pragma once

#include <string>

namespace tidemark::quorum {

// Ends the process, in order and with what to do: to start it again would not
// help. Any thread.
[[noreturn]] void StopForGood(const std::string& why);

}  // namespace tidemark::quorum
