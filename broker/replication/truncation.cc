#include "broker/replication/truncation.h"

#include <algorithm>

namespace tidemark::replication {

FetchCheck CheckFetchPosition(Offset fetch_offset,
                              LeaderEpoch last_fetched_epoch, log::EpochEnd own,
                              LeaderEpoch own_latest, Offset start_offset,
                              Offset end_offset) {
  FetchCheck check;
  if (last_fetched_epoch >= 0) {
    if (last_fetched_epoch > own_latest) {
      check.position = FetchPosition::kOutOfRange;
      return check;
    }
    // Older than every epoch still known here: its records ended where this
    // log starts (B-09).
    const log::EpochEnd end =
        own.epoch < 0 ? log::EpochEnd{last_fetched_epoch, start_offset} : own;
    if (end.epoch < last_fetched_epoch || end.end_offset < fetch_offset) {
      // A fetch below the start needs a fresh start rather than a cut.
      if (fetch_offset >= start_offset) {
        check.position = FetchPosition::kDiverging;
        check.diverging = end;
        return check;
      }
    }
  }
  if (fetch_offset < start_offset || fetch_offset > end_offset) {
    check.position = FetchPosition::kOutOfRange;
  }
  return check;
}

Offset TruncationTarget(log::EpochEnd leader, log::EpochEnd own,
                        Offset start_offset, Offset end_offset) {
  // No epoch up to the leader's is here: nothing of this log is shared.
  if (own.epoch < 0) return start_offset;
  const Offset target =
      std::min({leader.end_offset, own.end_offset, end_offset});
  return std::max(target, start_offset);
}

}  // namespace tidemark::replication
