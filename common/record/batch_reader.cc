#include "common/record/batch_reader.h"

#include "common/record/varint.h"

namespace tidemark::record {
namespace {

Error Invalid(const char* what) {
  return Error{ErrorCode::kInvalidRecord, std::string("record: ") + what};
}

// A varint length, then that many bytes; -1 is null.
bool ReadNullable(std::string_view* in, std::optional<std::string_view>* out) {
  int32_t length = 0;
  if (!ReadVarint32(in, &length) || length < -1) return false;
  if (length == -1) {
    out->reset();
    return true;
  }
  if (static_cast<size_t>(length) > in->size()) return false;
  *out = in->substr(0, static_cast<size_t>(length));
  in->remove_prefix(static_cast<size_t>(length));
  return true;
}

bool ReadHeaders(std::string_view* in, std::vector<RecordHeader>* headers) {
  int32_t count = 0;
  // A header takes at least two bytes.
  if (!ReadVarint32(in, &count) || count < 0 ||
      static_cast<size_t>(count) > in->size() / 2) {
    return false;
  }
  for (int32_t i = 0; i < count; ++i) {
    std::optional<std::string_view> key;
    RecordHeader header;
    if (!ReadNullable(in, &key) || !key) return false;
    header.key = *key;
    if (!ReadNullable(in, &header.value)) return false;
    headers->push_back(header);
  }
  return true;
}

int64_t AddWrapping(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) +
                              static_cast<uint64_t>(b));
}

}  // namespace

Result<std::optional<BatchView>> BatchIterator::Next() {
  const std::string_view rest = bytes_.substr(at_);
  if (rest.size() < kLogOverhead) return std::nullopt;
  TM_ASSIGN_OR_RETURN(const size_t size, PeekBatchSize(rest));
  if (rest.size() < size) return std::nullopt;
  TM_ASSIGN_OR_RETURN(const BatchHeader header, ParseBatchHeader(rest));
  at_ += size;
  return BatchView{header, rest.substr(0, size)};
}

Result<RecordReader> RecordReader::Open(std::string_view batch, size_t limit) {
  RecordReader reader;
  TM_ASSIGN_OR_RETURN(reader.header_, ParseBatchHeader(batch));
  if (batch.size() != reader.header_.FullSize()) {
    return Fail(ErrorCode::kCorruptMessage,
                "record batch: not as long as its header says");
  }
  reader.rest_ = batch.substr(kBatchHeaderSize);
  if (reader.header_.codec() != Codec::kNone) {
    TM_ASSIGN_OR_RETURN(std::string plain, Decompress(reader.header_.codec(),
                                                      reader.rest_, limit));
    reader.decompressed_ =
        std::make_unique<const std::string>(std::move(plain));
    reader.rest_ = *reader.decompressed_;
  }
  return reader;
}

Result<std::optional<Record>> RecordReader::Next() {
  if (seen_ == header_.record_count) {
    if (!rest_.empty()) return Fail(Invalid("bytes after the last one"));
    return std::nullopt;
  }
  int32_t length = 0;
  if (!ReadVarint32(&rest_, &length) || length < 0 ||
      static_cast<size_t>(length) > rest_.size()) {
    return Fail(Invalid("length beyond the batch"));
  }
  std::string_view in = rest_.substr(0, static_cast<size_t>(length));
  Record record;
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  if (in.empty()) return Fail(Invalid("empty"));
  in.remove_prefix(1);  // attributes, unused
  if (!ReadVarint64(&in, &timestamp_delta) ||
      !ReadVarint32(&in, &offset_delta) || !ReadNullable(&in, &record.key) ||
      !ReadNullable(&in, &record.value) || !ReadHeaders(&in, &record.headers) ||
      !in.empty()) {
    return Fail(Invalid("fields do not fit its length"));
  }
  if (offset_delta <= last_delta_ || offset_delta > header_.last_offset_delta) {
    return Fail(Invalid("offset out of order"));
  }
  rest_.remove_prefix(static_cast<size_t>(length));
  last_delta_ = offset_delta;
  ++seen_;
  record.offset = AddWrapping(header_.base_offset, offset_delta);
  record.timestamp = header_.IsLogAppendTime()
                         ? header_.max_timestamp
                         : AddWrapping(header_.base_timestamp, timestamp_delta);
  return record;
}

Status ForEachRecord(std::string_view batch,
                     const std::function<Status(const Record&)>& each,
                     size_t limit) {
  TM_ASSIGN_OR_RETURN(RecordReader reader, RecordReader::Open(batch, limit));
  while (true) {
    TM_ASSIGN_OR_RETURN(const std::optional<Record> record, reader.Next());
    if (!record) return {};
    TM_RETURN_IF_ERROR(each(*record));
  }
}

}  // namespace tidemark::record
