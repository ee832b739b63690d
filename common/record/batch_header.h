#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

// Kafka's record batch, format version 2 (kafka DefaultRecordBatch; KIP-98).
// Big-endian:
//
//    0 base offset            i64   written by the leader
//    8 batch length           i32   bytes after this field
//   12 partition leader epoch i32   written by the leader
//   16 magic                  i8    2
//   17 crc                    u32   CRC-32C of byte 21 to the end
//   21 attributes             i16
//   23 last offset delta      i32
//   27 base timestamp         i64   ms
//   35 max timestamp          i64   ms
//   43 producer id            i64   -1: none
//   51 producer epoch         i16
//   53 base sequence          i32
//   57 record count           i32
//   61 records, compressed as one block when the attributes name a codec
//
// The checksum leaves out everything in front of it, so that a broker may
// stamp the base offset and the leader epoch without touching it.
namespace tidemark::record {

inline constexpr int8_t kMagic = 2;
inline constexpr size_t kBaseOffsetAt = 0;
inline constexpr size_t kLengthAt = 8;
inline constexpr size_t kLeaderEpochAt = 12;
inline constexpr size_t kMagicAt = 16;
inline constexpr size_t kCrcAt = 17;
inline constexpr size_t kAttributesAt = 21;
inline constexpr size_t kLastOffsetDeltaAt = 23;
inline constexpr size_t kBaseTimestampAt = 27;
inline constexpr size_t kMaxTimestampAt = 35;
inline constexpr size_t kProducerIdAt = 43;
inline constexpr size_t kProducerEpochAt = 51;
inline constexpr size_t kBaseSequenceAt = 53;
inline constexpr size_t kRecordCountAt = 57;
inline constexpr size_t kBatchHeaderSize = 61;
// Base offset and length: what has to be read to know a batch's size.
inline constexpr size_t kLogOverhead = 12;

inline constexpr int64_t kNoTimestamp = -1;
inline constexpr ProducerId kNoProducerId = -1;
inline constexpr ProducerEpoch kNoProducerEpoch = -1;
inline constexpr int32_t kNoSequence = -1;

enum class Codec : int8_t {
  kNone = 0,
  kGzip = 1,
  kSnappy = 2,
  kLz4 = 3,
  kZstd = 4,
};

inline constexpr int16_t kCodecMask = 0x07;
inline constexpr int16_t kLogAppendTimeBit = 0x08;
inline constexpr int16_t kTransactionalBit = 0x10;
inline constexpr int16_t kControlBit = 0x20;
inline constexpr int16_t kDeleteHorizonBit = 0x40;

struct BatchHeader {
  Offset base_offset = 0;
  int32_t batch_length = 0;
  LeaderEpoch leader_epoch = -1;
  int8_t magic = kMagic;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp = kNoTimestamp;
  int64_t max_timestamp = kNoTimestamp;
  ProducerId producer_id = kNoProducerId;
  ProducerEpoch producer_epoch = kNoProducerEpoch;
  int32_t base_sequence = kNoSequence;
  int32_t record_count = 0;

  bool operator==(const BatchHeader&) const = default;

  // Bytes of the whole batch.
  size_t FullSize() const {
    return kLogOverhead + static_cast<size_t>(batch_length);
  }
  // Both wrap for a base offset near 2^63, which only a hostile batch has.
  Offset LastOffset() const {
    return static_cast<Offset>(static_cast<uint64_t>(base_offset) +
                               static_cast<uint64_t>(last_offset_delta));
  }
  Offset NextOffset() const {
    return static_cast<Offset>(static_cast<uint64_t>(LastOffset()) + 1);
  }
  // The sequence of the last record; wraps from 2^31-1 to 0 as Kafka's does.
  int32_t LastSequence() const;
  // May be a value that Codec does not name: see IsKnownCodec.
  Codec codec() const { return static_cast<Codec>(attributes & kCodecMask); }
  bool IsLogAppendTime() const { return (attributes & kLogAppendTimeBit) != 0; }
  bool IsTransactional() const { return (attributes & kTransactionalBit) != 0; }
  bool IsControl() const { return (attributes & kControlBit) != 0; }
  bool HasProducerId() const { return producer_id != kNoProducerId; }
};

bool IsKnownCodec(Codec codec);

// Reads the header at the front of `bytes`, which may hold only the header.
// kCorruptMessage: fewer than kBatchHeaderSize bytes, a length or a record
// count or an offset delta that cannot be. kUnsupportedForMessageFormat:
// magic 0 or 1. Does not look at the checksum.
Result<BatchHeader> ParseBatchHeader(std::string_view bytes);

// ParseBatchHeader, and that `bytes` hold the whole batch and that its
// checksum is right. kCorruptMessage otherwise. More bytes may follow.
Result<BatchHeader> ParseAndVerifyBatch(std::string_view bytes);

// The size of the batch at the front of `bytes` from its first kLogOverhead
// bytes. kCorruptMessage: fewer bytes than that or a length that cannot be.
Result<size_t> PeekBatchSize(std::string_view bytes);

// The checksum over `batch`, which is exactly one batch.
// REQUIRES: batch.size() >= kBatchHeaderSize.
uint32_t ComputeCrc(std::string_view batch);

// Setters in place, on the bytes of one batch.
// REQUIRES: at least kBatchHeaderSize bytes at `batch`.
void SetBaseOffset(char* batch, Offset base_offset);
void SetLeaderEpoch(char* batch, LeaderEpoch epoch);
// Sets the bit for LogAppendTime and the batch's maximum timestamp, then the
// checksum. `batch` is exactly one batch.
void SetLogAppendTime(char* batch, size_t size, int64_t max_timestamp);
// As SetLogAppendTime for any attributes.
void SetMaxTimestampAndAttributes(char* batch, size_t size,
                                  int64_t max_timestamp, int16_t attributes);
// Writes kBatchHeaderSize bytes of `header` at `batch`.
void WriteBatchHeader(const BatchHeader& header, char* batch);

}  // namespace tidemark::record
