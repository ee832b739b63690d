#include "common/record/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace tidemark::record {
namespace {

// ISA-L counts in int.
constexpr size_t kLargestStep = size_t{1} << 30;

}  // namespace

uint32_t Crc32c(std::string_view bytes) { return ExtendCrc32c(0, bytes); }

uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes) {
  // crc32_iscsi takes the raw register and returns it raw: both complements
  // of the standard form are ours to do.
  uint32_t state = ~crc;
  while (!bytes.empty()) {
    const size_t step = std::min(bytes.size(), kLargestStep);
    auto* data =
        reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
    state = crc32_iscsi(data, static_cast<int>(step), state);
    bytes.remove_prefix(step);
  }
  return ~state;
}

}  // namespace tidemark::record
