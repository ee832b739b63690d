#include "tests/fuzz/coverage.h"

#include <cstddef>
#include <cstdint>

namespace tidemark::fuzz {
namespace {

constexpr size_t kEdges = size_t{1} << 16;

// Threads of a target (a log manager has some) race here; a count may be off.
// No std::array: its functions would be counted themselves, for ever.
uint8_t taken[kEdges];
uint8_t seen[kEdges];  // bits, one an order of magnitude
thread_local uintptr_t before;

uint8_t Magnitude(uint8_t count) {
  uint8_t bit = 1;
  for (; count > 1; count /= 2) bit = static_cast<uint8_t>(bit << 1);
  return bit;
}

}  // namespace

bool TakeNewCoverage() {
  bool found = false;
  for (size_t i = 0; i < kEdges; ++i) {
    if (taken[i] == 0) continue;
    const uint8_t bit = Magnitude(taken[i]);
    found |= (seen[i] & bit) == 0;
    seen[i] = static_cast<uint8_t>(seen[i] | bit);
    taken[i] = 0;
  }
  return found;
}

}  // namespace tidemark::fuzz

// Called by the compiler's instrumentation at every edge.
extern "C" __attribute__((no_sanitize_coverage, no_sanitize("address"),
                          no_sanitize("undefined"))) void
__sanitizer_cov_trace_pc() {
  using namespace tidemark::fuzz;
  const auto at = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  // 64 KiB of edges: enough for one target.
  const uintptr_t edge = (at ^ (before << 1)) * 0x9e3779b97f4a7c15;
  before = at;
  uint8_t& count = taken[edge >> 48];
  if (count < 255) ++count;
}
