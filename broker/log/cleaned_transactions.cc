#include "broker/log/cleaned_transactions.h"

namespace tidemark::log {

void CleanedTransactions::Expect(std::span<const AbortedTransaction> aborted) {
  for (const AbortedTransaction& one : aborted) {
    const auto begun = aborted_.find(one.producer_id);
    if (begun != aborted_.end() &&
        begun->second.transaction.last_offset == one.last_offset) {
      continue;
    }
    expected_.emplace(std::pair(one.first_offset, one.last_offset), one);
  }
}

void CleanedTransactions::Begin(Offset offset) {
  while (!expected_.empty() && expected_.begin()->first.first <= offset) {
    const AbortedTransaction one = expected_.begin()->second;
    expected_.erase(expected_.begin());
    if (one.last_offset < offset) continue;
    // A producer has one at a time.
    aborted_.insert_or_assign(one.producer_id, Aborted{one, false});
  }
}

bool CleanedTransactions::TakeBatch(const record::BatchHeader& batch) {
  if (!batch.IsTransactional()) return false;
  Begin(batch.base_offset);
  const auto aborted = aborted_.find(batch.producer_id);
  if (aborted == aborted_.end()) {
    committed_.insert(batch.producer_id);
    return false;
  }
  aborted->second.seen = true;
  return true;
}

CleanedTransactions::Marker CleanedTransactions::TakeMarker(
    const record::BatchHeader& batch) {
  Begin(batch.base_offset);
  Marker marker;
  const auto aborted = aborted_.find(batch.producer_id);
  const bool committed = committed_.erase(batch.producer_id) > 0;
  if (aborted != aborted_.end() &&
      aborted->second.transaction.last_offset == batch.base_offset) {
    marker.ends_nothing = !aborted->second.seen && !committed;
    marker.aborts = aborted->second.transaction;
    aborted_.erase(aborted);
    return marker;
  }
  marker.ends_nothing = !committed;
  return marker;
}

}  // namespace tidemark::log
