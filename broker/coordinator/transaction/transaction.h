#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/base/ids.h"

// What is known of a transactional id (KIP-98). Plain values; any thread.
namespace tidemark::coordinator {

// Kafka's numbers and names. 6 and 7 (Dead, PrepareEpochFence) are in no log.
enum class TransactionState : int8_t {
  kEmpty = 0,
  kOngoing = 1,
  kPrepareCommit = 2,
  kPrepareAbort = 3,
  kCompleteCommit = 4,
  kCompleteAbort = 5,
};
std::string_view StateName(TransactionState state);
// nullopt: a number that is none of them.
std::optional<TransactionState> StateOf(int8_t number);

// The end is decided and its markers are on their way.
inline bool IsPrepared(TransactionState state) {
  return state == TransactionState::kPrepareCommit ||
         state == TransactionState::kPrepareAbort;
}
inline bool IsComplete(TransactionState state) {
  return state == TransactionState::kCompleteCommit ||
         state == TransactionState::kCompleteAbort;
}

// The last epoch of a producer id belongs to the markers that fence it; from
// the one before it no other is given out (kafka isProducerEpochExhausted).
inline constexpr ProducerEpoch kLastEpoch =
    std::numeric_limits<ProducerEpoch>::max();
inline bool IsExhausted(ProducerEpoch epoch) { return epoch >= kLastEpoch - 1; }

// transaction.version 2 and newer clients: each transaction has an epoch of its
// own (KIP-890).
inline constexpr int16_t kEpochPerTransaction = 2;

// A transactional id as the log keeps it (Kafka's TransactionLogValue).
struct StoredTransaction {
  ProducerId producer_id = -1;
  // The one before it, whose epochs were exhausted.
  ProducerId previous_producer_id = -1;
  // The one that takes its place when the transaction has ended.
  ProducerId next_producer_id = -1;
  ProducerEpoch epoch = -1;
  int32_t timeout_ms = 0;
  TransactionState state = TransactionState::kEmpty;
  std::set<TopicPartition> partitions;
  int64_t start_ms = -1;
  int64_t last_update_ms = -1;
  int16_t client_version = 0;

  bool operator==(const StoredTransaction&) const = default;
};

// Without a value: a tombstone.
struct TransactionRecord {
  std::string transactional_id;
  std::optional<StoredTransaction> value;
  bool operator==(const TransactionRecord&) const = default;
};

}  // namespace tidemark::coordinator
