#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/batch_header.h"
#include "common/record/control_record.h"

namespace tidemark::log {

// From this transaction.version on every transaction has an epoch of its own.
inline constexpr int8_t kEpochPerTransaction = 2;

// What a leader knows of the transaction of a batch besides its bytes.
struct TransactionContext {
  // The guard that was given out for it, once its coordinator has said that
  // the transaction holds the partition; 0: it was not asked.
  uint64_t verified = 0;
  // transaction.version of who asks. From 2 on a marker's epoch is one above
  // that of the transaction, and a producer that is not known begins with
  // sequence 0.
  int8_t version = 0;
  bool operator==(const TransactionContext&) const = default;
};

// A transaction that a marker has aborted, as the transaction index has it.
struct AbortedTransaction {
  ProducerId producer_id = -1;
  Offset first_offset = -1;
  Offset last_offset = -1;  // the marker's
  // What was decided when the marker was appended: everything in front of it.
  Offset last_stable_offset = -1;

  bool operator==(const AbortedTransaction&) const = default;
};

// A producer as DescribeProducers shows it. -1: none.
struct ActiveProducer {
  ProducerId producer_id = -1;
  ProducerEpoch producer_epoch = -1;
  int32_t last_sequence = -1;
  int64_t last_timestamp_ms = -1;
  int32_t coordinator_epoch = -1;
  Offset transaction_start = -1;

  bool operator==(const ActiveProducer&) const = default;
};

// Whether the batch ends a transaction.
inline bool IsMarker(const record::BatchHeader& batch) {
  return batch.IsControl() && batch.IsTransactional() && batch.HasProducerId();
}

// The marker in `batch`, which is exactly one batch; nullopt when it is none,
// also where its content makes no sense.
std::optional<record::TransactionMarker> MarkerIn(
    const record::BatchHeader& header, std::string_view batch);

}  // namespace tidemark::log
