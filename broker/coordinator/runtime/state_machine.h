#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/error_code.h"
#include "common/base/result.h"

namespace tidemark::coordinator {

// A record of a coordinator's log, encoded. No value: a tombstone.
struct LogRecord {
  std::string key;
  std::optional<std::string> value;
};

// State that is a log partition replayed. Called by its PartitionRuntime
// only, on the partition's executor.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Forgets everything; a load follows.
  virtual void Clear() = 0;
  // One record of the log. An error ends the load: the log is not readable.
  // Records of unknown kinds (newer software) are no error.
  virtual Status Load(std::string_view key,
                      std::optional<std::string_view> value) = 0;
  // The whole log has been loaded and is committed: requests may be served.
  virtual void OnActive() = 0;
  // Requests may not be served any more; the state is about to be cleared.
  virtual void OnInactive(ErrorCode why) = 0;
};

}  // namespace tidemark::coordinator
