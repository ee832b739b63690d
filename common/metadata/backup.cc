#include "common/metadata/backup.h"

#include <cstdint>
#include <utility>

#include "common/metadata/snapshot.h"
#include "common/record/crc32c.h"

namespace tidemark::metadata {
namespace {

constexpr std::string_view kMagic = "tidemark-metadata 1\n";
constexpr std::string_view kName = "tidemark-metadata ";
constexpr size_t kNumber = 4;
constexpr size_t kMaxHeader = 64 << 10;

void PutNumber(uint32_t value, std::string* to) {
  for (size_t i = 0; i < kNumber; ++i)
    to->push_back(static_cast<char>(value >> (8 * i)));
}

uint32_t NumberAt(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < kNumber; ++i)
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  return value;
}

tl::unexpected<Error> Unusable(const std::string& what) {
  return Fail(ErrorCode::kInvalidRequest, what);
}

}  // namespace

std::string EncodeBackup(backup::v1::Header header, const Image& image) {
  const v1::RecordBatch records = ToRecords(image);
  header.set_bytes(records.ByteSizeLong());
  const std::string head = header.SerializeAsString();
  std::string file(kMagic);
  file.reserve(file.size() + head.size() + header.bytes() + 2 * kNumber);
  PutNumber(static_cast<uint32_t>(head.size()), &file);
  file += head;
  records.AppendToString(&file);
  PutNumber(record::Crc32c(file), &file);
  return file;
}

Result<Backup> DecodeBackup(std::string_view file) {
  if (!file.starts_with(kName))
    return Unusable("it is no backup of the metadata");
  if (!file.starts_with(kMagic))
    return Unusable(
        "it is a backup of another version than this program knows");
  if (file.size() < kMagic.size() + 2 * kNumber) return Unusable("it is cut");
  const uint32_t crc = NumberAt(file.substr(file.size() - kNumber));
  file.remove_suffix(kNumber);
  if (record::Crc32c(file) != crc)
    return Unusable("it is cut, or its bytes are not those that were written");
  file.remove_prefix(kMagic.size());
  const size_t length = NumberAt(file);
  file.remove_prefix(kNumber);
  Backup out;
  if (length > kMaxHeader || length > file.size() ||
      !out.header.ParseFromArray(file.data(), static_cast<int>(length)))
    return Unusable("its header cannot be read");
  file.remove_prefix(length);
  v1::RecordBatch records;
  if (file.size() != out.header.bytes() || file.size() > INT32_MAX ||
      !records.ParseFromArray(file.data(), static_cast<int>(file.size())))
    return Unusable("its records cannot be read");
  if (out.header.cluster_id().empty() || out.header.offset() < 1 ||
      out.header.epoch() < 0)
    return Unusable("its header makes no sense");
  auto image = FromRecords(records, out.header.offset());
  if (!image)
    return Unusable("its records contradict each other: " +
                    image.error().message);
  out.image = std::move(*image);
  return out;
}

}  // namespace tidemark::metadata
