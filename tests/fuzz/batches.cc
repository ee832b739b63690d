// Batches of producers: what is accepted can be read.

#include <glog/logging.h>

#include "broker/log/append_validation.h"
#include "broker/log/record_validation.h"
#include "common/record/batch_builder.h"
#include "common/record/batch_reader.h"
#include "tests/fuzz/targets.h"

namespace tidemark::fuzz {
namespace {

bool IsReadable(std::string_view batch) {
  return record::ForEachRecord(
             batch, [](const record::Record&) -> Status { return {}; })
      .has_value();
}

void RunBatches(std::string_view input) {
  // A checksum that is right, as a producer's bug would have it.
  std::string batch(input);
  if (batch.size() >= record::kBatchHeaderSize) {
    if (auto header = record::ParseBatchHeader(batch);
        header && header->FullSize() == batch.size()) {
      header->crc = record::ComputeCrc(batch);
      record::WriteBatchHeader(*header, batch.data());
    }
  }
  for (const bool compacted : {false, true}) {
    log::LogConfig config;
    config.compacted = compacted;
    const auto header =
        log::ValidateAppend(batch, config, log::BatchOrigin::kClient);
    if (!header) return;
    for (const auto codec : {record::Codec::kNone, record::Codec::kZstd}) {
      log::RecordRules rules;
      rules.compacted = compacted;
      rules.stored_codec = codec;
      const auto stored =
          log::ValidateRecords(batch, *header, rules, 1'700'000'000'000);
      if (!stored) continue;
      const std::string_view bytes = stored->empty() ? batch : *stored;
      CHECK(record::ParseAndVerifyBatch(bytes));
      CHECK(IsReadable(bytes)) << "accepted, but cannot be read";
    }
  }
}

std::vector<std::string> BatchCorpus() {
  std::vector<std::string> out;
  const std::vector<record::RecordHeader> headers = {{"key", "value"},
                                                     {"", std::nullopt}};
  for (const auto codec :
       {record::Codec::kNone, record::Codec::kGzip, record::Codec::kSnappy,
        record::Codec::kLz4, record::Codec::kZstd}) {
    for (const int count : {1, 3, 40}) {
      record::BatchBuilder builder({.codec = codec});
      for (int i = 0; i < count; ++i) {
        builder.Add(1'700'000'000'000 + i,
                    i % 5 == 4 ? std::nullopt : std::optional("key"),
                    "some value of a record", headers);
      }
      out.push_back(builder.Build());
    }
  }
  return out;
}

const Added kBatches({"batches", RunBatches, BatchCorpus});

}  // namespace
}  // namespace tidemark::fuzz
