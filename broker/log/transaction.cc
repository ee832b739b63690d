#include "broker/log/transaction.h"

#include "common/record/batch_reader.h"

namespace tidemark::log {
namespace {

// A marker's record is far smaller, whatever later versions append to it.
constexpr size_t kMostUnpacked = 4096;

}  // namespace

std::optional<record::TransactionMarker> MarkerIn(
    const record::BatchHeader& header, std::string_view batch) {
  if (!IsMarker(header)) return std::nullopt;
  auto records = record::RecordReader::Open(batch, kMostUnpacked);
  if (!records) return std::nullopt;
  const auto first = records->Next();
  if (!first || !*first || !(*first)->key || !(*first)->value) {
    return std::nullopt;
  }
  const auto marker =
      record::ParseTransactionMarker(*(*first)->key, *(*first)->value);
  if (!marker) return std::nullopt;
  return *marker;
}

}  // namespace tidemark::log
