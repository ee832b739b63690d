#include "tests/fuzz/logs.h"

#include <algorithm>

#include "common/record/batch_builder.h"
#include "common/record/batch_reader.h"

namespace tidemark::fuzz {

void CorrectChecksums(std::string* segment) {
  size_t at = 0;
  while (segment->size() - at >= record::kBatchHeaderSize) {
    const std::string_view rest = std::string_view(*segment).substr(at);
    auto header = record::ParseBatchHeader(rest);
    if (!header || header->FullSize() > rest.size()) return;
    header->crc = record::ComputeCrc(rest.substr(0, header->FullSize()));
    record::WriteBatchHeader(*header, segment->data() + at);
    at += header->FullSize();
  }
}

Offset ReadUntilWrong(log::Log& log, Offset from, size_t max_bytes,
                      bool compacted) {
  Offset next = std::max(from, log.start_offset());
  LeaderEpoch epoch = -1;  // which no checksum covers
  while (next < log.end_offset()) {
    const auto bytes = log.Read(next, INT64_MAX, max_bytes, true);
    if (!bytes || bytes->empty()) return next;
    std::string_view rest = bytes->view();
    while (!rest.empty()) {
      const auto header = record::ParseAndVerifyBatch(rest);
      if (!header || header->NextOffset() <= next) return next;
      if (header->base_offset > next && !compacted) return next;
      if (header->leader_epoch < epoch) return next;
      epoch = header->leader_epoch;
      next = header->NextOffset();
      rest.remove_prefix(header->FullSize());
    }
  }
  return next;
}

std::string SomeRecords(int first, int count, ProducerId producer) {
  record::BatchOptions options;
  if (producer >= 0) {
    options.producer_id = producer;
    options.producer_epoch = 0;
    options.base_sequence = first;
  }
  if (first % 3 == 1) options.codec = record::Codec::kLz4;
  record::BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    builder.Add(kNow - 1000 + first + i, "key" + std::to_string(i),
                std::string(static_cast<size_t>(10 + first % 7 * 11), 'v'));
  }
  return builder.Build();
}

}  // namespace tidemark::fuzz
