#include "broker/coordinator/transaction/transitions.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace tidemark::coordinator {
namespace {

template <class Result>
Transition<Result> Refuse(ErrorCode error) {
  Transition<Result> out;
  out.answer.Fail(error);
  return out;
}

// At another epoch than its own (kafka prepareIncrementProducerEpoch).
Transition<InitProducerResult> NextEpoch(const StoredTransaction& now,
                                         const InitProducerRequest& request,
                                         EpochBefore* before, int64_t wall_ms) {
  const bool expects = request.producer_id >= 0;
  ProducerEpoch epoch = now.epoch;
  if (now.epoch < 0 || !expects || request.epoch == now.epoch) {
    *before = {expects ? now.epoch : ProducerEpoch{-1}};
    ++epoch;
  } else if (before->epoch < 0 || request.epoch != before->epoch) {
    return Refuse<InitProducerResult>(ErrorCode::kProducerFenced);
  }  // else it asks again for what it was given
  StoredTransaction next = now;
  next.epoch = epoch;
  next.timeout_ms = request.timeout_ms;
  next.state = TransactionState::kEmpty;
  next.partitions.clear();
  next.start_ms = -1;
  next.last_update_ms = wall_ms;
  return {.answer = {.producer_id = next.producer_id, .epoch = next.epoch},
          .next = std::move(next)};
}

// With another producer id (kafka prepareProducerIdRotation).
Transition<InitProducerResult> NextProducerId(
    const StoredTransaction& now, const InitProducerRequest& request,
    EpochBefore* before, int64_t wall_ms) {
  if (request.spare_producer_id < 0) {
    return {.answer = {.wants_producer_id = true}, .next = {}};
  }
  *before = {request.producer_id >= 0 ? now.epoch : ProducerEpoch{-1}};
  StoredTransaction next{.producer_id = request.spare_producer_id,
                         .previous_producer_id = now.producer_id,
                         .epoch = 0,
                         .timeout_ms = request.timeout_ms,
                         .last_update_ms = wall_ms,
                         .client_version = now.client_version};
  return {.answer = {.producer_id = next.producer_id, .epoch = next.epoch},
          .next = std::move(next)};
}

// Whether a producer that names an id and an epoch can be the present one, or
// has been and did not hear of its successor.
bool MayGoOn(const StoredTransaction& now, const InitProducerRequest& request) {
  if (request.producer_id < 0 || now.epoch < 0) return true;
  if (request.producer_id == now.producer_id) return true;
  return request.producer_id == now.previous_producer_id &&
         IsExhausted(request.epoch);
}

Transition<EndTransactionResult> Prepare(const StoredTransaction& now,
                                         const EndTransactionRequest& request,
                                         int64_t wall_ms) {
  StoredTransaction next = now;
  next.state = request.commit ? TransactionState::kPrepareCommit
                              : TransactionState::kPrepareAbort;
  next.last_update_ms = wall_ms;
  next.client_version = request.client_version;
  Transition<EndTransactionResult> out;
  if (request.client_version >= kEpochPerTransaction) {
    if (IsExhausted(now.epoch)) {
      if (request.spare_producer_id < 0) {
        out.answer.wants_producer_id = true;
        return out;
      }
      next.next_producer_id = request.spare_producer_id;
    }
    ++next.epoch;
  }
  const bool rotates = next.next_producer_id >= 0;
  out.answer.producer_id = rotates ? next.next_producer_id : next.producer_id;
  out.answer.epoch = rotates ? ProducerEpoch{0} : next.epoch;
  out.next = std::move(next);
  return out;
}

// There is nothing to abort, or nothing that the producer can know of. Its
// epoch ends all the same (KIP-890).
Transition<EndTransactionResult> AbortNothing(
    const StoredTransaction& now, const EndTransactionRequest& request,
    int64_t wall_ms) {
  auto out = Prepare(now,
                     {.client_version = request.client_version,
                      .spare_producer_id = request.spare_producer_id},
                     wall_ms);
  if (!out.next) return out;
  out.next->start_ms = wall_ms;
  out.next = Complete(*out.next, wall_ms);
  return out;
}

// It has ended so before, or is about to: whether in the way it is asked to.
Transition<EndTransactionResult> Again(const StoredTransaction& now,
                                       bool commit) {
  const bool committed = now.state == TransactionState::kPrepareCommit ||
                         now.state == TransactionState::kCompleteCommit;
  if (committed != commit) {
    return Refuse<EndTransactionResult>(ErrorCode::kInvalidTxnState);
  }
  return {.answer = {.producer_id = now.producer_id, .epoch = now.epoch},
          .next = {},
          .busy = IsPrepared(now.state)};
}

// Clients whose epoch stays: the state alone tells a repetition.
Transition<EndTransactionResult> EndInSameEpoch(
    const StoredTransaction& now, const EndTransactionRequest& request,
    int64_t wall_ms) {
  if (request.epoch != now.epoch) {
    return Refuse<EndTransactionResult>(ErrorCode::kProducerFenced);
  }
  switch (now.state) {
    case TransactionState::kOngoing:
      return Prepare(now, request, wall_ms);
    case TransactionState::kEmpty:
      return Refuse<EndTransactionResult>(ErrorCode::kInvalidTxnState);
    default:
      return Again(now, request.commit);
  }
}

// Those whose epoch ends with the transaction: one ahead of theirs is the
// answer they have not got, the same is of the next transaction.
Transition<EndTransactionResult> EndEpoch(const StoredTransaction& now,
                                          const EndTransactionRequest& request,
                                          bool rotated, int64_t wall_ms) {
  const bool ended =
      rotated || (now.epoch > 0 && now.epoch - 1 == request.epoch);
  const bool same = !rotated && request.epoch == now.epoch;
  if (now.state == TransactionState::kOngoing) {
    return same ? Prepare(now, request, wall_ms)
                : Refuse<EndTransactionResult>(ErrorCode::kProducerFenced);
  }
  if (ended && now.state != TransactionState::kEmpty &&
      now.client_version >= kEpochPerTransaction) {
    return Again(now, request.commit);
  }
  if (!same) return Refuse<EndTransactionResult>(ErrorCode::kProducerFenced);
  // Prepared by a client of the other kind.
  if (IsPrepared(now.state)) return Again(now, request.commit);
  if (request.commit) {
    return Refuse<EndTransactionResult>(ErrorCode::kInvalidTxnState);
  }
  return AbortNothing(now, request, wall_ms);
}

}  // namespace

Transition<InitProducerResult> InitProducer(const StoredTransaction* now,
                                            const InitProducerRequest& request,
                                            EpochBefore* before,
                                            int64_t wall_ms) {
  if (now == nullptr) {
    if (request.spare_producer_id < 0) {
      return {.answer = {.wants_producer_id = true}, .next = {}};
    }
    return NextEpoch({.producer_id = request.spare_producer_id}, request,
                     before, wall_ms);
  }
  if (!MayGoOn(*now, request)) {
    return Refuse<InitProducerResult>(ErrorCode::kProducerFenced);
  }
  if (IsPrepared(now->state)) return {.answer = {}, .next = {}, .busy = true};
  const bool expects = request.producer_id >= 0;
  if (now->state == TransactionState::kOngoing) {
    // One that is fenced must not abort the transaction of its successor.
    if (expects && request.epoch != now->epoch) {
      return Refuse<InitProducerResult>(ErrorCode::kProducerFenced);
    }
    *before = {expects ? now->epoch : ProducerEpoch{-1}};
    return {.answer = {}, .next = FenceAndAbort(*now, wall_ms), .busy = true};
  }
  if (IsExhausted(now->epoch)) {
    if (!expects || request.epoch == now->epoch ||
        (before->epoch >= 0 && request.epoch == before->epoch)) {
      return NextProducerId(*now, request, before, wall_ms);
    }
    return Refuse<InitProducerResult>(ErrorCode::kProducerFenced);
  }
  return NextEpoch(*now, request, before, wall_ms);
}

Transition<AddPartitionsResult> AddPartitions(
    const StoredTransaction* now, const AddPartitionsRequest& request,
    int64_t wall_ms) {
  using Result = AddPartitionsResult;
  if (now == nullptr || now->producer_id != request.producer_id) {
    return Refuse<Result>(ErrorCode::kInvalidProducerIdMapping);
  }
  if (now->epoch != request.epoch) {
    return Refuse<Result>(ErrorCode::kProducerFenced);
  }
  Transition<Result> out;
  out.busy = IsPrepared(now->state);
  if (out.busy) return out;
  const bool ongoing = now->state == TransactionState::kOngoing;
  bool all = ongoing;
  for (const TopicPartition& partition : request.partitions) {
    const bool has = ongoing && now->partitions.contains(partition);
    all = all && has;
    out.answer.partitions.push_back(!has && request.verify_only
                                        ? ErrorCode::kTransactionAbortable
                                        : ErrorCode::kNone);
  }
  if (all || request.verify_only) return out;
  StoredTransaction next = *now;
  next.state = TransactionState::kOngoing;
  if (!ongoing) {
    next.partitions.clear();
    next.start_ms = wall_ms;
  }
  next.partitions.insert(request.partitions.begin(), request.partitions.end());
  next.last_update_ms = wall_ms;
  next.client_version = request.client_version;
  out.next = std::move(next);
  return out;
}

Transition<EndTransactionResult> EndTransaction(
    const StoredTransaction* now, const EndTransactionRequest& request,
    int64_t wall_ms) {
  using Result = EndTransactionResult;
  if (now == nullptr)
    return Refuse<Result>(ErrorCode::kInvalidProducerIdMapping);
  const bool new_kind = request.client_version >= kEpochPerTransaction;
  // The answer named another producer id, and was lost.
  const bool rotated = new_kind && now->epoch == 0 &&
                       now->previous_producer_id == request.producer_id &&
                       request.producer_id >= 0 && IsExhausted(request.epoch);
  if (now->producer_id != request.producer_id && !rotated) {
    return Refuse<Result>(ErrorCode::kInvalidProducerIdMapping);
  }
  return new_kind ? EndEpoch(*now, request, rotated, wall_ms)
                  : EndInSameEpoch(*now, request, wall_ms);
}

StoredTransaction FenceAndAbort(const StoredTransaction& now, int64_t wall_ms) {
  CHECK(now.state == TransactionState::kOngoing);
  StoredTransaction next = now;
  // Ids from a log may be anything; above the last there is none.
  if (next.epoch < kLastEpoch) ++next.epoch;
  next.state = TransactionState::kPrepareAbort;
  next.last_update_ms = wall_ms;
  return next;
}

StoredTransaction Complete(const StoredTransaction& now, int64_t wall_ms) {
  CHECK(IsPrepared(now.state));
  StoredTransaction next = now;
  next.state = now.state == TransactionState::kPrepareCommit
                   ? TransactionState::kCompleteCommit
                   : TransactionState::kCompleteAbort;
  next.partitions.clear();
  next.last_update_ms = wall_ms;
  if (now.next_producer_id >= 0) {
    next.previous_producer_id = now.producer_id;
    next.producer_id = now.next_producer_id;
    next.next_producer_id = -1;
    next.epoch = 0;
  }
  return next;
}

}  // namespace tidemark::coordinator
