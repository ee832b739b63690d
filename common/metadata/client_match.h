#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace tidemark::metadata {

// `match` of a client-metrics resource (KIP-714): what a client has to be for
// its metrics to be wanted.
struct ClientMatch {
  std::string what;  // client_id and the like
  std::shared_ptr<const re2::RE2> pattern;
};

// "client_id=.*,client_software_name=...": all of them have to match. Error
// kInvalidConfig, as Kafka says it.
Result<std::vector<ClientMatch>> ParseClientMatch(std::string_view value);

}  // namespace tidemark::metadata
