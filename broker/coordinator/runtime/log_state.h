#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/coordinator/machine/machine.h"
#include "common/base/error_code.h"
#include "common/base/result.h"

namespace tidemark::coordinator {

// State that is a log partition replayed, as its PartitionRuntime sees it.
// Called by that only, on the partition's executor.
class LogState {
 public:
  virtual ~LogState() = default;

  // Forgets everything; a load follows.
  virtual void Clear() = 0;
  // One record of the log. An error ends the load: the log is not readable.
  // Records of unknown kinds (newer software) are no error.
  virtual Status Load(const RecordMeta& meta, std::string_view key,
                      std::optional<std::string_view> value) = 0;
  // A transaction's end, in the log that is loaded or just committed.
  virtual void ApplyMarker(const Marker& marker) = 0;
  // The whole log has been loaded and is committed: requests may be served.
  virtual void OnActive() = 0;
  // Requests may not be served any more; the state is about to be cleared.
  virtual void OnInactive(ErrorCode why) = 0;

  // About what a snapshot of everything would take in the log.
  virtual size_t LiveBytes() const = 0;
  // The first record that transactions which are open now need; nullopt: none.
  virtual std::optional<Offset> OldestOpenOffset() const = 0;
  // The next NextOfSnapshot begins with the first record.
  virtual void StartSnapshot() = 0;
  // Adds about `bytes` of records to `out`, at least one unless there is none;
  // false when they were the last.
  virtual Result<bool> NextOfSnapshot(size_t bytes,
                                      std::vector<LogRecord>* out) = 0;
};

}  // namespace tidemark::coordinator
