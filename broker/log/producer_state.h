#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/log/transaction.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/batch_header.h"

namespace tidemark::log {

// Whether the batch is one of an idempotent producer that has sequences.
inline bool IsTracked(const record::BatchHeader& batch) {
  return batch.HasProducerId() && batch.base_sequence >= 0 &&
         !batch.IsControl();
}

// Whether sequence `next` comes right after `last`; they wrap.
inline bool FollowsSequence(int32_t last, int32_t next) {
  return last == INT32_MAX ? next == 0 : next == last + 1;
}

// How far `sequence` is in front of `next`.
inline uint32_t SequencesBetween(int32_t sequence, int32_t next) {
  return (static_cast<uint32_t>(next) - static_cast<uint32_t>(sequence)) &
         0x7fffffffu;
}

// One batch of an idempotent producer, as far as it matters for telling a
// repetition from a gap.
struct ProducerBatch {
  int32_t last_sequence = -1;
  Offset last_offset = -1;
  int32_t offset_delta = 0;  // last offset - first offset
  int64_t timestamp_ms = -1;

  Offset first_offset() const { return last_offset - offset_delta; }
  uint32_t count() const { return static_cast<uint32_t>(offset_delta) + 1; }
  int32_t first_sequence() const {
    return static_cast<int32_t>((static_cast<uint32_t>(last_sequence) -
                                 static_cast<uint32_t>(offset_delta)) &
                                0x7fffffffu);
  }
  bool operator==(const ProducerBatch&) const = default;
};

// The state of the idempotent and transactional producers of one partition
// (KIP-98, KIP-890; B-26). A plain value; equal on leader and followers because
// it follows from the batches alone.
//
// A transaction is open from its first batch to its marker, and not settled
// before the marker is committed. Until then nothing from its first offset on
// is stable.
//
// The snapshot has Kafka's format (kafka ProducerStateManager):
//
//   version i16 = 1, crc u32 (CRC-32C of the rest), count i32, and for each:
//   producer id i64, epoch i16, last sequence i32, last offset i64,
//   offset delta i32, timestamp i64, coordinator epoch i32,
//   first offset of the open transaction i64; -1 where there is none
//
// It holds the last batch of a producer only; Refill gets the others back. Of
// transactions that are not settled it holds those that are open.
//
// Kafka remembers five batches, as many as a producer has under way. One of
// them may be answered with an error although it is there (REQUEST_TIMED_OUT),
// and then the others are acknowledged and the next ones are sent beside its
// repetition; if that is lost with the leader, the next leader remembers five
// batches behind it, and Kafka's would refuse it as out of order for ever. So
// it is also known how far back the sequences in front of the five are in the
// log without a gap.
class ProducerState {
 public:
  static constexpr size_t kBatches = 5;
  // Half of all sequences: what is further away lies ahead.
  static constexpr uint32_t kMostBefore = uint32_t{1} << 30;

  struct Producer {
    ProducerEpoch epoch = -1;
    uint8_t count = 0;
    // Sequences right in front of the oldest batch that are in the log, at
    // most kMostBefore.
    uint32_t before = 0;
    std::array<ProducerBatch, kBatches> batches;  // oldest first
    int32_t coordinator_epoch = -1;               // of the last marker
    Offset transaction = -1;    // where the open one begins; -1: none
    int64_t timestamp_ms = -1;  // of its newest batch or marker

    std::span<const ProducerBatch> remembered() const {
      return {batches.data(), count};
    }
    // REQUIRES: count > 0. A marker may be all that is known.
    const ProducerBatch& last() const { return batches[count - 1]; }
  };

  // A batch that is in the log.
  struct Original {
    Offset first_offset = -1;  // -1: unknown, it is no longer remembered
    Offset last_offset = -1;   // its last one, or one behind that
    int64_t timestamp_ms = -1;
  };
  // May this batch be appended? A value: it was already.
  // kInvalidProducerEpoch: from before the producer's last start.
  // kOutOfOrderSequenceNumber: a batch is missing in front of it.
  // kInvalidTxnState: it is not of the transaction that its producer has open.
  // `version`: transaction.version of its producer.
  Result<std::optional<Original>> Check(const record::BatchHeader& batch,
                                        int8_t version = 0) const;
  // May this marker be appended? One that ends nothing may.
  // kInvalidProducerEpoch: a later one has been at work since.
  // kTransactionCoordinatorFenced: so has a later coordinator.
  Status CheckMarker(const record::BatchHeader& batch,
                     const record::TransactionMarker& marker,
                     int8_t version) const;
  // Whether the batch, where it may be appended, begins a transaction.
  bool BeginsTransaction(const record::BatchHeader& batch) const;

  // The batch is in the log, at its final offset. Batches without a producer
  // id, and those that are neither in a sequence nor in a transaction, are
  // ignored; so are markers: ApplyMarker.
  void Apply(const record::BatchHeader& batch);
  // Either: of a marker the bytes are needed.
  std::optional<AbortedTransaction> Apply(const record::BatchHeader& header,
                                          std::string_view batch);
  // The transaction, if there was one and this aborts it.
  std::optional<AbortedTransaction> ApplyMarker(
      const record::BatchHeader& batch,
      const record::TransactionMarker& marker);

  // Everything below `high_watermark` is committed.
  void Committed(Offset high_watermark) {
    if (unsettled_.empty()) return;
    std::erase_if(unsettled_, [high_watermark](const auto& transaction) {
      return transaction.second < high_watermark;
    });
  }
  // Everything in front of it is committed, and what of it is in transactions
  // is decided for good.
  Offset LastStableOffset(Offset high_watermark) const {
    if (open_.empty() && unsettled_.empty()) return high_watermark;
    return FirstUnstable(high_watermark);
  }
  // Takes over what `before`, of the same log, knows of transactions that ended
  // in front of `end`: no snapshot tells that.
  void TakeUnsettled(const ProducerState& before, Offset end);

  // Forgets batches at or behind `end`. False: not all that is known without
  // them is left, so the state has to be rebuilt from a snapshot.
  bool TruncateTo(Offset end);
  // `batches`: the newest ones of the log, in order. Producers whose last
  // batch is among them get the ones before it back.
  void Refill(std::span<const record::BatchHeader> batches);
  // Producers silent for longer than that are forgotten
  // (producer.id.expiration.ms), unless they have a transaction open.
  void Expire(int64_t now_ms, int64_t expiration_ms);
  void Clear() { *this = ProducerState(); }

  bool empty() const { return producers_.empty(); }
  const std::unordered_map<ProducerId, Producer>& producers() const {
    return producers_;
  }
  std::vector<ActiveProducer> Active() const;

  std::string EncodeSnapshot() const;
  // Replaces the state by that in front of `end`. kCorruptMessage: and leaves
  // it empty.
  Status LoadSnapshot(std::string_view bytes, Offset end = 0);

 private:
  static void Push(Producer& producer, const ProducerBatch& batch);
  static std::optional<Original> FindIn(const Producer& known,
                                        const record::BatchHeader& batch);
  Result<std::optional<Original>> CheckSequence(
      const Producer& known, const record::BatchHeader& batch) const;
  Offset FirstUnstable(Offset high_watermark) const;

  std::unordered_map<ProducerId, Producer> producers_;
  std::map<Offset, ProducerId> open_;  // transactions, by first offset
  // Those that have ended but may not be settled: first offset and marker's.
  std::map<Offset, Offset> unsettled_;
  // Of a batch in a transaction, or of a marker: the newest.
  Offset last_transactional_ = -1;
};

}  // namespace tidemark::log
