#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/log.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace tidemark::log {

// Which leader epoch wrote which offsets (KIP-101, KIP-279; B-08, B-09):
// epochs and start offsets both strictly ascending. A plain value; the log
// writes it to `leader-epoch-checkpoint`, Kafka's text format:
//
//   0                       version
//   2                       number of lines that follow
//   0 0                     epoch, start offset
//   3 1250
class EpochCache {
 public:
  struct Entry {
    LeaderEpoch epoch = 0;
    Offset start = 0;
    bool operator==(const Entry&) const = default;
  };

  // The leader's word: `epoch` starts at `start`. Entries that contradict it
  // are removed. False: nothing changed.
  bool Assign(LeaderEpoch epoch, Offset start);
  // A batch of `epoch` with these offsets is in the log: whatever the cache
  // says about them otherwise is stale (B-08). Keeps entries behind the batch.
  // False: nothing changed.
  bool Observe(LeaderEpoch epoch, Offset first, Offset last);
  // False: nothing changed.
  bool TruncateFromEnd(Offset end);
  bool TruncateFromStart(Offset start);
  void Clear() { entries_.clear(); }

  LeaderEpoch latest() const {
    return entries_.empty() ? -1 : entries_.back().epoch;
  }
  // B-09. An epoch older than all known ends where the first known starts.
  EpochEnd EndOffsetFor(LeaderEpoch epoch, Offset log_end) const;
  std::optional<LeaderEpoch> EpochOf(Offset offset) const;
  const std::vector<Entry>& entries() const { return entries_; }

  std::string Encode() const;
  // kCorruptMessage: not such a file, or not ascending.
  static Result<EpochCache> Decode(std::string_view text);

  bool operator==(const EpochCache&) const = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace tidemark::log
