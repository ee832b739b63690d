#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark::record {

// CRC-32C (Castagnoli) as RFC 3720 and Kafka's record batches define it:
// Crc32c("123456789") == 0xE3069283. Computed with the processor's CRC or
// carry-less multiply instructions where there are any.
uint32_t Crc32c(std::string_view bytes);

// The checksum of a + b, given the checksum of a.
uint32_t ExtendCrc32c(uint32_t crc, std::string_view bytes);

}  // namespace tidemark::record
