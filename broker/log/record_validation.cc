#include "broker/log/record_validation.h"

#include <algorithm>
#include <utility>

#include "common/record/compression.h"
#include "common/record/record_scanner.h"

namespace tidemark::log {
namespace {

// Named in an answer; the message has their number.
constexpr size_t kMostNamed = 100;

using Refusal = tl::unexpected<RecordRefusal>;

Refusal Refuse(ErrorCode error, std::string message) {
  return Refusal(RecordRefusal{error, std::move(message), {}});
}

int64_t SubtractSaturating(int64_t a, int64_t b) {
  int64_t out = 0;
  if (!__builtin_sub_overflow(a, b, &out)) return out;
  return a < b ? INT64_MIN : INT64_MAX;
}

int64_t AddSaturating(int64_t a, int64_t b) {
  int64_t out = 0;
  if (!__builtin_add_overflow(a, b, &out)) return out;
  return b < 0 ? INT64_MIN : INT64_MAX;
}

// What is wrong with the records of a batch, as they come.
class Findings {
 public:
  Findings(const RecordRules& rules, int64_t now_ms)
      : rules_(rules), now_ms_(now_ms) {}

  void Look(const record::ScannedRecord& record, int64_t timestamp_ms) {
    if (rules_.compacted && !record.has_key) {
      Add(record.index, ErrorCode::kInvalidRecord,
          "Compacted topic cannot accept message without key.");
    } else if (!TimestampIsGood(timestamp_ms)) {
      Add(record.index, ErrorCode::kInvalidTimestamp,
          "Timestamp " + std::to_string(timestamp_ms) +
              " of message is out of range: the broker's clock says " +
              std::to_string(now_ms_) + ".");
    }
  }

  std::optional<RecordRefusal> Verdict() && {
    if (count_ == 0) return std::nullopt;
    found_.message =
        found_.error == ErrorCode::kInvalidTimestamp
            ? "One or more records have been rejected due to invalid timestamp"
            : "One or more records have been rejected due to " +
                  std::to_string(count_) + " record errors in total";
    return std::move(found_);
  }

 private:
  bool TimestampIsGood(int64_t timestamp_ms) const {
    if (rules_.log_append_time || timestamp_ms == record::kNoTimestamp) {
      return true;
    }
    return SubtractSaturating(now_ms_, timestamp_ms) <=
               rules_.timestamp_before_max_ms &&
           SubtractSaturating(timestamp_ms, now_ms_) <=
               rules_.timestamp_after_max_ms;
  }

  void Add(int32_t index, ErrorCode error, std::string message) {
    ++count_;
    // One bad timestamp decides the error of the batch, as in Kafka.
    if (error == ErrorCode::kInvalidTimestamp) found_.error = error;
    if (found_.records.size() < kMostNamed) {
      found_.records.push_back({index, std::move(message)});
    }
  }

  const RecordRules& rules_;
  const int64_t now_ms_;
  size_t count_ = 0;
  RecordRefusal found_;
};

Refusal Unreadable(const Error& error) {
  // The checksum is right: to send it again would not help, so that it is not
  // CORRUPT_MESSAGE, at which producers try again.
  return Refuse(error.code == ErrorCode::kCorruptMessage
                    ? ErrorCode::kInvalidRecord
                    : error.code,
                error.message);
}

// The largest timestamp of the records.
tl::expected<int64_t, RecordRefusal> ReadAll(record::RecordScanner& scanner,
                                             const record::BatchHeader& header,
                                             const RecordRules& rules,
                                             int64_t now_ms) {
  Findings findings(rules, now_ms);
  int64_t largest = record::kNoTimestamp;
  while (true) {
    const auto record = scanner.Next();
    if (!record) return Unreadable(record.error());
    if (!*record) break;
    const int64_t timestamp_ms =
        AddSaturating(header.base_timestamp, (*record)->timestamp_delta);
    largest = std::max(largest, timestamp_ms);
    findings.Look(**record, timestamp_ms);
  }
  if (auto refusal = std::move(findings).Verdict()) return Refusal(*refusal);
  return largest;
}

// What batches may unpack to, of what is left for all of a request.
class Allowance {
 public:
  explicit Allowance(size_t* left) : left_(left) {}
  size_t OfOne() const {
    return std::min(*left_, record::kMaxDecompressedSize);
  }
  void Take(size_t bytes) { *left_ -= std::min(*left_, bytes); }

 private:
  size_t* const left_;
};

tl::expected<int64_t, RecordRefusal> ReadRecords(
    std::string_view batch, const record::BatchHeader& header,
    const RecordRules& rules, int64_t now_ms, Allowance allowance) {
  const bool packed = header.codec() != record::Codec::kNone;
  auto scanner = record::RecordScanner::Open(
      batch, header, packed ? allowance.OfOne() : record::kMaxDecompressedSize);
  if (!scanner) return Unreadable(scanner.error());
  auto largest = ReadAll(*scanner, header, rules, now_ms);
  if (packed) allowance.Take(scanner->unpacked());
  return largest;
}

tl::expected<std::string, Error> Unpack(std::string_view batch,
                                        const record::BatchHeader& header,
                                        Allowance allowance) {
  auto plain =
      record::Decompress(header.codec(), batch.substr(record::kBatchHeaderSize),
                         allowance.OfOne());
  // What went wrong may have done so at the end.
  allowance.Take(plain ? plain->size() : allowance.OfOne());
  return plain;
}

std::string Rewrite(record::BatchHeader header, std::string_view records) {
  std::string out(record::kBatchHeaderSize, '\0');
  out.append(records);
  header.batch_length = static_cast<int32_t>(out.size() - record::kLogOverhead);
  record::WriteBatchHeader(header, out.data());
  header.crc = record::ComputeCrc(out);
  record::WriteBatchHeader(header, out.data());
  return out;
}

bool ChecksumIsRight(std::string_view batch,
                     const record::BatchHeader& header) {
  return record::ComputeCrc(batch) == header.crc;
}

}  // namespace

tl::expected<std::string, RecordRefusal> ValidateRecords(
    std::string_view batch, const record::BatchHeader& header,
    const RecordRules& rules, int64_t now_ms, size_t* unpack_left) {
  size_t own = UnpackAllowance(batch.size());
  const Allowance allowance(unpack_left == nullptr ? &own : unpack_left);
  record::BatchHeader stored = header;
  if (rules.read_records) {
    const auto largest = ReadRecords(batch, header, rules, now_ms, allowance);
    if (!largest) {
      if (!ChecksumIsRight(batch, header)) {
        return Refuse(ErrorCode::kCorruptMessage, "the checksum is wrong");
      }
      return Refusal(largest.error());
    }
    if (!rules.log_append_time) stored.max_timestamp = *largest;
  }
  const record::Codec codec = rules.stored_codec.value_or(header.codec());
  if (codec == header.codec() && stored == header) return "";
  // A new checksum must not make good what came damaged.
  if (!ChecksumIsRight(batch, header)) {
    return Refuse(ErrorCode::kCorruptMessage, "the checksum is wrong");
  }
  const std::string_view records = batch.substr(record::kBatchHeaderSize);
  if (codec == header.codec()) return Rewrite(stored, records);
  auto plain = Unpack(batch, header, allowance);
  if (!plain) return Refuse(ErrorCode::kInvalidRecord, plain.error().message);
  stored.attributes = static_cast<int16_t>(
      (header.attributes & ~record::kCodecMask) | static_cast<int>(codec));
  return Rewrite(stored, record::Compress(codec, *plain));
}

}  // namespace tidemark::log
