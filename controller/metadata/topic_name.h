#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"

namespace tidemark::controller {

// Kafka's rule: 1 to 249 characters of [a-zA-Z0-9._-], not "." or "..".
// Error kInvalidTopicException says what is wrong.
Status CheckTopicName(std::string_view name);

// Names that differ only in '.' and '_' give one metric name, so only one of
// them may exist: the form they share.
std::string CollisionForm(std::string_view name);

}  // namespace tidemark::controller
