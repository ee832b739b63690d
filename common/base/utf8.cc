#include "common/base/utf8.h"

#include <cstdint>

namespace tidemark {

bool IsUtf8(std::string_view text) {
  // The smallest code point that needs so many continuation bytes.
  constexpr uint32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i++]);
    int more = lead < 0x80             ? 0
               : (lead & 0xe0) == 0xc0 ? 1
               : (lead & 0xf0) == 0xe0 ? 2
               : (lead & 0xf8) == 0xf0 ? 3
                                       : -1;
    if (more < 0 || text.size() - i < static_cast<size_t>(more)) return false;
    uint32_t code = more == 0 ? lead : lead & (0x3fu >> more);
    for (int k = 0; k < more; ++k) {
      const auto byte = static_cast<uint8_t>(text[i++]);
      if ((byte & 0xc0) != 0x80) return false;
      code = code << 6 | (byte & 0x3fu);
    }
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < kSmallest[more] || surrogate || code > 0x10ffff) return false;
  }
  return true;
}

}  // namespace tidemark
