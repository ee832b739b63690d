#include "broker/coordinator/runtime/written_at.h"

#include "common/record/big_endian.h"

namespace tidemark::coordinator {
namespace {

constexpr std::string_view kName = "written-at";

}  // namespace

WrittenAtHeader::WrittenAtHeader(std::optional<Offset> offset) {
  if (!offset) return;
  record::AppendBigEndian<int64_t>(*offset, &value_);
  header_ = record::RecordHeader{kName, value_};
}

std::span<const record::RecordHeader> WrittenAtHeader::headers() const {
  if (!header_) return {};
  return {&*header_, 1};
}

Offset WrittenAt(const record::Record& record) {
  for (const record::RecordHeader& header : record.headers) {
    if (header.key != kName || !header.value ||
        header.value->size() != sizeof(int64_t)) {
      continue;
    }
    const auto offset = record::LoadBigEndian<int64_t>(header.value->data());
    if (offset >= 0 && offset < record.offset) return offset;
  }
  return record.offset;
}

}  // namespace tidemark::coordinator
