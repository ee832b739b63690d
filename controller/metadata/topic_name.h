#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tidemark::controller {

// Kafka's rule: 1 to 249 characters of [a-zA-Z0-9._-], not "." or "..".
// Error kInvalidTopicException says what is wrong.
Status CheckTopicName(std::string_view name);

}  // namespace tidemark::controller
