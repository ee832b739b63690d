#pragma once

#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/uuid.h"

namespace tidemark::io {

// A controller that a new quorum begins with: its id on its disk, and where it
// listens.
struct InitialVoter {
  NodeId id = kNoNode;
  std::string host;
  uint16_t port = 0;
  Uuid directory;

  bool operator==(const InitialVoter&) const = default;
};

// Kafka's form: "1@host:port:directory-id,2@[::1]:9093:directory-id", each id
// and directory once, not empty. kInvalidConfig.
Result<std::vector<InitialVoter>> ParseInitialVoters(const std::string& text);
std::string ToString(const std::vector<InitialVoter>& voters);

// Kept in a controller's directory between its formatting and its first start,
// which takes them over into its log. Load: empty when there are none.
// Blocking; kKafkaStorageError, kInvalidConfig for a damaged file.
Status SaveInitialVoters(const std::string& directory,
                         const std::vector<InitialVoter>& voters);
Result<std::vector<InitialVoter>> LoadInitialVoters(
    const std::string& directory);

}  // namespace tidemark::io
