#include "common/record/control_record.h"

#include "common/record/big_endian.h"

namespace tidemark::record {
namespace {

constexpr int16_t kVersion = 0;
constexpr size_t kKeySize = 4;
constexpr size_t kValueSize = 6;

}  // namespace

std::string EncodeControlKey(ControlRecordType type) {
  std::string key;
  AppendBigEndian<int16_t>(kVersion, &key);
  AppendBigEndian(static_cast<int16_t>(type), &key);
  return key;
}

std::string EncodeMarkerValue(int32_t coordinator_epoch) {
  std::string value;
  AppendBigEndian<int16_t>(kVersion, &value);
  AppendBigEndian(coordinator_epoch, &value);
  return value;
}

Result<TransactionMarker> ParseTransactionMarker(std::string_view key,
                                                 std::string_view value) {
  if (key.size() < kKeySize || value.size() < kValueSize ||
      LoadBigEndian<int16_t>(key.data()) < 0 ||
      LoadBigEndian<int16_t>(value.data()) < 0) {
    return Fail(ErrorCode::kInvalidRecord, "control record: cut off");
  }
  const auto type = LoadBigEndian<int16_t>(key.data() + 2);
  if (type != 0 && type != 1) {
    return Fail(ErrorCode::kInvalidRecord, "control record: type " +
                                               std::to_string(type) +
                                               " is no transaction marker");
  }
  return TransactionMarker{static_cast<ControlRecordType>(type),
                           LoadBigEndian<int32_t>(value.data() + 2)};
}

}  // namespace tidemark::record
