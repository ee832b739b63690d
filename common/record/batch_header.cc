#include "common/record/batch_header.h"

#include "common/record/big_endian.h"
#include "common/record/crc32c.h"

namespace tidemark::record {

int32_t BatchHeader::LastSequence() const {
  if (base_sequence == kNoSequence) return kNoSequence;
  const auto last = static_cast<uint32_t>(base_sequence) +
                    static_cast<uint32_t>(last_offset_delta);
  return static_cast<int32_t>(last & 0x7fffffffu);
}

bool IsKnownCodec(Codec codec) {
  return codec >= Codec::kNone && codec <= Codec::kZstd;
}

Result<size_t> PeekBatchSize(std::string_view bytes) {
  if (bytes.size() < kLogOverhead) {
    return Fail(ErrorCode::kCorruptMessage, "record batch: cut off in front");
  }
  const auto length = LoadBigEndian<int32_t>(bytes.data() + kLengthAt);
  constexpr int32_t kLeast = kBatchHeaderSize - kLogOverhead;
  // Magic 0 and 1 have shorter headers; only their size may be asked for.
  constexpr int32_t kLeastOfOldFormats = 14;
  const bool old = bytes.size() > kMagicAt && bytes[kMagicAt] < kMagic;
  if (length < (old ? kLeastOfOldFormats : kLeast)) {
    return Fail(ErrorCode::kCorruptMessage,
                "record batch: length " + std::to_string(length));
  }
  return kLogOverhead + static_cast<size_t>(length);
}

Result<BatchHeader> ParseBatchHeader(std::string_view bytes) {
  if (bytes.size() > kMagicAt && bytes[kMagicAt] != kMagic) {
    const int magic = bytes[kMagicAt];
    if (magic == 0 || magic == 1) {
      return Fail(ErrorCode::kUnsupportedForMessageFormat,
                  "record batch: message format " + std::to_string(magic) +
                      " is not supported, only 2 is");
    }
    return Fail(ErrorCode::kCorruptMessage,
                "record batch: magic " + std::to_string(magic));
  }
  TM_ASSIGN_OR_RETURN(const size_t size, PeekBatchSize(bytes));
  if (bytes.size() < kBatchHeaderSize) {
    return Fail(ErrorCode::kCorruptMessage, "record batch: header cut off");
  }
  const char* at = bytes.data();
  BatchHeader header;
  header.base_offset = LoadBigEndian<int64_t>(at + kBaseOffsetAt);
  header.batch_length = static_cast<int32_t>(size - kLogOverhead);
  header.leader_epoch = LoadBigEndian<int32_t>(at + kLeaderEpochAt);
  header.magic = kMagic;
  header.crc = LoadBigEndian<uint32_t>(at + kCrcAt);
  header.attributes = LoadBigEndian<int16_t>(at + kAttributesAt);
  header.last_offset_delta = LoadBigEndian<int32_t>(at + kLastOffsetDeltaAt);
  header.base_timestamp = LoadBigEndian<int64_t>(at + kBaseTimestampAt);
  header.max_timestamp = LoadBigEndian<int64_t>(at + kMaxTimestampAt);
  header.producer_id = LoadBigEndian<int64_t>(at + kProducerIdAt);
  header.producer_epoch = LoadBigEndian<int16_t>(at + kProducerEpochAt);
  header.base_sequence = LoadBigEndian<int32_t>(at + kBaseSequenceAt);
  header.record_count = LoadBigEndian<int32_t>(at + kRecordCountAt);
  if (header.record_count < 0 || header.last_offset_delta < 0) {
    return Fail(
        ErrorCode::kCorruptMessage,
        "record batch: record count " + std::to_string(header.record_count) +
            ", last offset delta " + std::to_string(header.last_offset_delta));
  }
  return header;
}

Result<BatchHeader> ParseAndVerifyBatch(std::string_view bytes) {
  TM_ASSIGN_OR_RETURN(const BatchHeader header, ParseBatchHeader(bytes));
  if (bytes.size() < header.FullSize()) {
    return Fail(ErrorCode::kCorruptMessage,
                "record batch: " + std::to_string(header.FullSize()) +
                    " bytes announced, " + std::to_string(bytes.size()) +
                    " there");
  }
  if (ComputeCrc(bytes.substr(0, header.FullSize())) != header.crc) {
    return Fail(ErrorCode::kCorruptMessage,
                "record batch: checksum does not match");
  }
  return header;
}

uint32_t ComputeCrc(std::string_view batch) {
  return Crc32c(batch.substr(kAttributesAt));
}

void SetBaseOffset(char* batch, Offset base_offset) {
  StoreBigEndian<int64_t>(base_offset, batch + kBaseOffsetAt);
}

void SetLeaderEpoch(char* batch, LeaderEpoch epoch) {
  StoreBigEndian<int32_t>(epoch, batch + kLeaderEpochAt);
}

void SetLogAppendTime(char* batch, size_t size, int64_t max_timestamp) {
  const auto attributes = LoadBigEndian<int16_t>(batch + kAttributesAt);
  SetMaxTimestampAndAttributes(
      batch, size, max_timestamp,
      static_cast<int16_t>(attributes | kLogAppendTimeBit));
}

void SetMaxTimestampAndAttributes(char* batch, size_t size,
                                  int64_t max_timestamp, int16_t attributes) {
  StoreBigEndian<int16_t>(attributes, batch + kAttributesAt);
  StoreBigEndian<int64_t>(max_timestamp, batch + kMaxTimestampAt);
  StoreBigEndian<uint32_t>(ComputeCrc({batch, size}), batch + kCrcAt);
}

void WriteBatchHeader(const BatchHeader& header, char* batch) {
  StoreBigEndian<int64_t>(header.base_offset, batch + kBaseOffsetAt);
  StoreBigEndian<int32_t>(header.batch_length, batch + kLengthAt);
  StoreBigEndian<int32_t>(header.leader_epoch, batch + kLeaderEpochAt);
  StoreBigEndian<int8_t>(header.magic, batch + kMagicAt);
  StoreBigEndian<uint32_t>(header.crc, batch + kCrcAt);
  StoreBigEndian<int16_t>(header.attributes, batch + kAttributesAt);
  StoreBigEndian<int32_t>(header.last_offset_delta, batch + kLastOffsetDeltaAt);
  StoreBigEndian<int64_t>(header.base_timestamp, batch + kBaseTimestampAt);
  StoreBigEndian<int64_t>(header.max_timestamp, batch + kMaxTimestampAt);
  StoreBigEndian<int64_t>(header.producer_id, batch + kProducerIdAt);
  StoreBigEndian<int16_t>(header.producer_epoch, batch + kProducerEpochAt);
  StoreBigEndian<int32_t>(header.base_sequence, batch + kBaseSequenceAt);
  StoreBigEndian<int32_t>(header.record_count, batch + kRecordCountAt);
}

}  // namespace tidemark::record
