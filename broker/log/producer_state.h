#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/batch_header.h"

namespace tidemark::log {

// Whether the batch is one of an idempotent producer.
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

// The state of the idempotent producers of one partition (KIP-98; B-26). A
// plain value; equal on leader and followers because it follows from the
// batches alone.
//
// The snapshot has Kafka's format (kafka ProducerStateManager):
//
//   version i16 = 1, crc u32 (CRC-32C of the rest), count i32, and for each:
//   producer id i64, epoch i16, last sequence i32, last offset i64,
//   offset delta i32, timestamp i64, coordinator epoch i32 = -1,
//   first offset of the current transaction i64 = -1
//
// It holds the last batch of a producer only; Refill gets the others back.
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

    std::span<const ProducerBatch> remembered() const {
      return {batches.data(), count};
    }
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
  Result<std::optional<Original>> Check(const record::BatchHeader& batch) const;
  // The batch is in the log, at its final offset. Batches without a producer
  // id or a sequence are ignored.
  void Apply(const record::BatchHeader& batch);

  // Forgets batches at or behind `end`. False: a producer lost all that was
  // known about it, so the state has to be rebuilt from a snapshot.
  bool TruncateTo(Offset end);
  // `batches`: the newest ones of the log, in order. Producers whose last
  // batch is among them get the ones before it back.
  void Refill(std::span<const record::BatchHeader> batches);
  // Producers silent for longer than that are forgotten
  // (producer.id.expiration.ms).
  void Expire(int64_t now_ms, int64_t expiration_ms);
  void Clear() { producers_.clear(); }

  bool empty() const { return producers_.empty(); }
  const std::unordered_map<ProducerId, Producer>& producers() const {
    return producers_;
  }

  std::string EncodeSnapshot() const;
  // Replaces the state. kCorruptMessage: and leaves it empty.
  Status LoadSnapshot(std::string_view bytes);

 private:
  static void Push(Producer& producer, const ProducerBatch& batch);
  static std::optional<Original> FindIn(const Producer& known,
                                        const record::BatchHeader& batch);

  std::unordered_map<ProducerId, Producer> producers_;
};

}  // namespace tidemark::log
