#include "broker/log/batch_filter.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "common/record/compression.h"
#include "common/record/varint.h"

namespace tidemark::log {
namespace {

using Fate = FilteredBatch::Fate;

// A record and where its parts are.
struct RawRecord {
  KeyedRecord record;
  int64_t timestamp_delta = 0;
  std::string_view bytes;  // with its length
  std::string_view behind_timestamp;
  char attributes = 0;
};

tl::unexpected<Error> Broken(const char* what) {
  return Fail(ErrorCode::kInvalidRecord, std::string("record: ") + what);
}

// A varint length, then that many bytes; -1 is null.
bool ReadNullable(std::string_view* in, std::optional<std::string_view>* out) {
  int32_t length = 0;
  if (!record::ReadVarint32(in, &length) || length < -1) return false;
  out->reset();
  if (length == -1) return true;
  if (static_cast<size_t>(length) > in->size()) return false;
  *out = in->substr(0, static_cast<size_t>(length));
  in->remove_prefix(static_cast<size_t>(length));
  return true;
}

// The records of a batch, as they are in it.
class RawRecords {
 public:
  static Result<RawRecords> Open(std::string_view batch,
                                 const record::BatchHeader& header) {
    RawRecords records(header);
    records.rest_ = batch.substr(record::kBatchHeaderSize);
    if (header.codec() == record::Codec::kNone) return records;
    auto plain = record::Decompress(header.codec(), records.rest_);
    // The checksum is right: it is what a client has sent, and not the disk's.
    if (!plain) {
      return Fail(ErrorCode::kInvalidRecord, plain.error().message);
    }
    records.plain_ = std::make_unique<const std::string>(std::move(*plain));
    records.rest_ = *records.plain_;
    return records;
  }

  Result<std::optional<RawRecord>> Next() {
    if (left_ == 0) {
      if (rest_.empty()) return std::nullopt;
      return Broken("bytes after the last one");
    }
    --left_;
    const std::string_view begin = rest_;
    int32_t length = 0;
    if (!record::ReadVarint32(&rest_, &length) || length < 1 ||
        static_cast<size_t>(length) > rest_.size()) {
      return Broken("length beyond the batch");
    }
    std::string_view in = rest_.substr(0, static_cast<size_t>(length));
    rest_.remove_prefix(static_cast<size_t>(length));
    RawRecord raw;
    raw.bytes = begin.substr(0, begin.size() - rest_.size());
    raw.attributes = in.front();
    in.remove_prefix(1);
    if (!record::ReadVarint64(&in, &raw.timestamp_delta)) {
      return Broken("no timestamp");
    }
    raw.behind_timestamp = in;
    int32_t delta = 0;
    std::optional<std::string_view> value;
    if (!record::ReadVarint32(&in, &delta) ||
        !ReadNullable(&in, &raw.record.key) || !ReadNullable(&in, &value)) {
      return Broken("fields do not fit its length");
    }
    if (delta <= last_delta_ || delta > header_.last_offset_delta) {
      return Broken("offset out of order");
    }
    last_delta_ = delta;
    raw.record.offset = header_.base_offset + delta;
    raw.record.has_value = value.has_value();
    return raw;
  }

 private:
  explicit RawRecords(const record::BatchHeader& header)
      : header_(header), left_(header.record_count) {}

  record::BatchHeader header_;
  std::unique_ptr<const std::string> plain_;
  std::string_view rest_;
  int32_t left_;
  int32_t last_delta_ = -1;
};

std::string Finish(record::BatchHeader header, std::string_view records) {
  std::string batch(record::kBatchHeaderSize, '\0');
  if (header.codec() == record::Codec::kNone) {
    batch += records;
  } else {
    batch += record::Compress(header.codec(), records);
  }
  header.batch_length =
      static_cast<int32_t>(batch.size() - record::kLogOverhead);
  record::WriteBatchHeader(header, batch.data());
  header.crc = record::ComputeCrc(batch);
  record::WriteBatchHeader(header, batch.data());
  return batch;
}

// nullopt: the sum is no number.
std::optional<int64_t> NewHorizon(const FilterTimes& times) {
  int64_t horizon = 0;
  if (__builtin_add_overflow(times.now_ms, times.delete_retention_ms,
                             &horizon)) {
    return std::nullopt;
  }
  return horizon;
}

// The records with another base timestamp; nullopt where one of theirs cannot
// be told from there.
std::optional<std::string> Rebase(const std::vector<RawRecord>& records,
                                  int64_t from, int64_t to) {
  std::string out;
  for (const RawRecord& raw : records) {
    int64_t timestamp = 0, delta = 0;
    if (__builtin_add_overflow(from, raw.timestamp_delta, &timestamp) ||
        __builtin_sub_overflow(timestamp, to, &delta)) {
      return std::nullopt;
    }
    record::AppendVarint(static_cast<int64_t>(1 + record::VarintSize(delta) +
                                              raw.behind_timestamp.size()),
                         &out);
    out.push_back(raw.attributes);
    record::AppendVarint(delta, &out);
    out.append(raw.behind_timestamp);
  }
  return out;
}

int64_t MaxTimestamp(const record::BatchHeader& header,
                     const std::vector<RawRecord>& records) {
  if (header.IsLogAppendTime()) return header.max_timestamp;
  int64_t max = INT64_MIN;
  for (const RawRecord& raw : records) {
    max = std::max(
        max, static_cast<int64_t>(static_cast<uint64_t>(header.base_timestamp) +
                                  static_cast<uint64_t>(raw.timestamp_delta)));
  }
  return max;
}

FilteredBatch Rewrite(record::BatchHeader header,
                      const std::vector<RawRecord>& kept, int32_t dropped,
                      std::optional<int64_t> horizon) {
  FilteredBatch filtered;
  filtered.fate = Fate::kRewritten;
  filtered.kept = static_cast<int32_t>(kept.size());
  filtered.dropped = dropped;
  header.record_count = filtered.kept;
  header.max_timestamp = MaxTimestamp(header, kept);
  std::optional<std::string> records;
  if (horizon) records = Rebase(kept, header.base_timestamp, *horizon);
  if (records) {
    header.base_timestamp = *horizon;
    header.attributes |= record::kDeleteHorizonBit;
  } else if (dropped == 0) {
    return {Fate::kAsItWas, "", filtered.kept, 0};
  } else {
    records.emplace();
    for (const RawRecord& raw : kept) records->append(raw.bytes);
  }
  filtered.bytes = Finish(header, *records);
  return filtered;
}

}  // namespace

Status ForEachKey(std::string_view batch, const record::BatchHeader& header,
                  const std::function<Status(const KeyedRecord&)>& each) {
  TM_ASSIGN_OR_RETURN(RawRecords records, RawRecords::Open(batch, header));
  while (true) {
    TM_ASSIGN_OR_RETURN(const auto raw, records.Next());
    if (!raw) return {};
    TM_RETURN_IF_ERROR(each(raw->record));
  }
}

FilteredBatch DropRecords(const record::BatchHeader& header, bool must_stay) {
  if (!must_stay) return {Fate::kGone, "", 0, header.record_count};
  if (header.record_count == 0) return {};
  FilteredBatch filtered{Fate::kRewritten, "", 0, header.record_count};
  record::BatchHeader empty = header;
  empty.record_count = 0;
  empty.base_timestamp = header.max_timestamp;
  empty.attributes = static_cast<int16_t>(
      header.attributes & ~(record::kCodecMask | record::kDeleteHorizonBit));
  filtered.bytes = Finish(empty, {});
  return filtered;
}

Result<FilteredBatch> FilterRecords(
    std::string_view batch, const record::BatchHeader& header,
    const std::function<bool(const KeyedRecord&, bool horizon_passed)>& keep,
    bool settled, bool must_stay, const FilterTimes& times) {
  const auto horizon = DeleteHorizon(header);
  const bool passed = times.HavePassed(horizon);
  TM_ASSIGN_OR_RETURN(RawRecords records, RawRecords::Open(batch, header));
  std::vector<RawRecord> kept;
  int32_t dropped = 0;
  bool tombstones = false;
  while (true) {
    TM_ASSIGN_OR_RETURN(const auto raw, records.Next());
    if (!raw) break;
    if (!keep(raw->record, passed)) {
      ++dropped;
      continue;
    }
    tombstones |= !raw->record.has_value;
    kept.push_back(*raw);
  }
  if (kept.empty()) return DropRecords(header, must_stay);
  std::optional<int64_t> next;
  if (tombstones && settled && !horizon) next = NewHorizon(times);
  if (dropped == 0 && !next) {
    return FilteredBatch{Fate::kAsItWas, "", static_cast<int32_t>(kept.size()),
                         0};
  }
  return Rewrite(header, kept, dropped, next);
}

FilteredBatch FilterMarker(std::string_view batch,
                           const record::BatchHeader& header, bool must_stay,
                           const FilterTimes& times) {
  FilteredBatch as_it_was{Fate::kAsItWas, "", header.record_count, 0};
  if (const auto horizon = DeleteHorizon(header)) {
    if (!times.HavePassed(horizon) || must_stay) return as_it_was;
    return {Fate::kGone, "", 0, header.record_count};
  }
  const auto next = NewHorizon(times);
  auto records = RawRecords::Open(batch, header);
  if (!next || !records) return as_it_was;
  std::vector<RawRecord> kept;
  while (true) {
    const auto raw = records->Next();
    if (!raw) return as_it_was;
    if (!*raw) break;
    kept.push_back(**raw);
  }
  return kept.empty() ? as_it_was : Rewrite(header, kept, 0, next);
}

}  // namespace tidemark::log
