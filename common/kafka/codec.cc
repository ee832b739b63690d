#include "common/kafka/codec.h"

#include <glog/logging.h>

#include "common/record/big_endian.h"

namespace tidemark::kafka {

void CheckVersion(int16_t version, int16_t min, int16_t max) {
  CHECK(version >= min && version <= max)
      << "version " << version << " of a message that has " << min << " to "
      << max;
}

Status UnsupportedVersion(int16_t version, int16_t min, int16_t max) {
  return Fail(ErrorCode::kUnsupportedVersion,
              "version " + std::to_string(version) + ", supported are " +
                  std::to_string(min) + " to " + std::to_string(max));
}

Result<int16_t> PeekVersion(std::string_view bytes) {
  if (bytes.size() < sizeof(int16_t)) {
    return Fail(ErrorCode::kInvalidRequest, "message ends in its version");
  }
  return record::LoadBigEndian<int16_t>(bytes.data());
}

}  // namespace tidemark::kafka
