#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "broker/log/transaction.h"
#include "common/base/ids.h"
#include "common/record/batch_header.h"

namespace tidemark::log {

// What a pass over the batches of a log, in order, knows of its transactions
// (kafka CleanedTransactionMetadata): which records are of aborted ones, and
// which markers end one of which nothing is left. A plain value.
class CleanedTransactions {
 public:
  // Those of which a part lies in what comes next. Again does no harm.
  void Expect(std::span<const AbortedTransaction> aborted);

  // A batch of records: whether its transaction was aborted.
  bool TakeBatch(const record::BatchHeader& batch);

  struct Marker {
    // No batch of its transaction was seen.
    bool ends_nothing = false;
    // The transaction that it aborts, for the index.
    std::optional<AbortedTransaction> aborts;
  };
  Marker TakeMarker(const record::BatchHeader& batch);

 private:
  struct Aborted {
    AbortedTransaction transaction;
    bool seen = false;
  };
  void Begin(Offset offset);

  // By first offset and marker.
  std::map<std::pair<Offset, Offset>, AbortedTransaction> expected_;
  std::map<ProducerId, Aborted> aborted_;  // and begun
  std::set<ProducerId> committed_;         // with batches
};

}  // namespace tidemark::log
