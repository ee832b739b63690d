#include "common/metadata/snapshot.h"

#include "common/metadata/apply.h"

namespace tidemark::metadata {

namespace {

constexpr size_t kPartBytes = 256 << 10;

void EachRecord(const Image& image, const RecordSink& sink) {
  // First: who does not support the levels need not wonder at the rest.
  image.features().ToRecords(sink);
  image.brokers().ToRecords(sink);
  image.topics().ToRecords(sink);
  image.configs().ToRecords(sink);
  image.scram().ToRecords(sink);
  image.producer_ids().ToRecords(sink);
  image.requests().ToRecords(sink);
  image.acls().ToRecords(sink);
}

}  // namespace

v1::RecordBatch ToRecords(const Image& image) {
  v1::RecordBatch out;
  EachRecord(image, [&](v1::Record record) {
    *out.add_records() = std::move(record);
  });
  return out;
}

// Messages that follow each other are one with the records of all.
void WriteSnapshot(const Image& image,
                   const std::function<void(std::string_view)>& part) {
  std::string bytes;
  v1::RecordBatch one;
  EachRecord(image, [&](v1::Record record) {
    one.clear_records();
    *one.add_records() = std::move(record);
    one.AppendToString(&bytes);
    if (bytes.size() < kPartBytes) return;
    part(bytes);
    bytes.clear();
  });
  if (!bytes.empty()) part(bytes);
}

Result<ImagePtr> FromRecords(const v1::RecordBatch& records,
                             MetadataOffset offset) {
  return ApplyBatch(nullptr, records, offset, nullptr);
}

Delta Difference(const Image& from, const Image& to) {
  Delta delta;
  delta.from_snapshot = true;
  Difference(from.topics(), to.topics(), &delta);
  Difference(from.brokers(), to.brokers(), &delta);
  Difference(from.configs(), to.configs(), &delta);
  return delta;
}

bool Equal(const Image& a, const Image& b) {
  if (a.offset() != b.offset() || a.producer_ids() != b.producer_ids() ||
      !(a.requests() == b.requests()) || a.features() != b.features() ||
      !(a.acls() == b.acls()) || !(a.scram() == b.scram())) {
    return false;
  }
  Delta delta = Difference(a, b);
  return delta.changed_topics.empty() && delta.deleted_topics.empty() &&
         delta.changed_brokers.empty() && delta.changed_configs.empty();
}

}  // namespace tidemark::metadata
