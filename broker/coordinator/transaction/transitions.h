#pragma once

#include <optional>

#include "broker/coordinator/transaction/requests.h"
#include "broker/coordinator/transaction/transaction.h"

// What becomes of a transactional id, by Kafka's rules (KIP-98, KIP-360,
// KIP-890). Pure; of ids whose last write is settled.
namespace tidemark::coordinator {

// An answer, or what is to be written before it is given.
template <class Result>
struct Transition {
  Result answer;
  std::optional<StoredTransaction> next;
  // The transaction before has not ended: ask again when it has.
  bool busy = false;
};

// The epoch that the producer had before the present one, as far as it is
// known to be the same producer; -1: it is not. It tells the repetition of a
// request from one of a producer that another has fenced.
struct EpochBefore {
  ProducerEpoch epoch = -1;
};

// `now`: nullptr for an id that nobody has used yet. With busy and `next`: that
// is to be written first, and then it is asked again.
Transition<InitProducerResult> InitProducer(const StoredTransaction* now,
                                            const InitProducerRequest& request,
                                            EpochBefore* before,
                                            int64_t wall_ms);

Transition<AddPartitionsResult> AddPartitions(
    const StoredTransaction* now, const AddPartitionsRequest& request,
    int64_t wall_ms);

Transition<EndTransactionResult> EndTransaction(
    const StoredTransaction* now, const EndTransactionRequest& request,
    int64_t wall_ms);

// Aborts an ongoing transaction in a newer epoch, which fences its producer.
// REQUIRES: it is ongoing.
StoredTransaction FenceAndAbort(const StoredTransaction& now, int64_t wall_ms);

// The markers of a prepared one are written. REQUIRES: it is prepared.
StoredTransaction Complete(const StoredTransaction& now, int64_t wall_ms);

}  // namespace tidemark::coordinator
