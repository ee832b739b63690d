#include "broker/log/compaction.h"

#include <algorithm>

namespace tidemark::log {
namespace {

constexpr uint64_t kMostBytes = INT32_MAX;  // positions, as Kafka reads them

}  // namespace

std::vector<SegmentGroup> GroupSegments(
    const std::vector<CleanableSegment>& segments, Offset end,
    int64_t segment_bytes) {
  std::vector<SegmentGroup> groups;
  uint64_t size = 0;
  const uint64_t most =
      std::min<uint64_t>(static_cast<uint64_t>(segment_bytes), kMostBytes);
  for (const CleanableSegment& segment : segments) {
    if (segment.base >= end) break;
    const bool fits = !groups.empty() && size + segment.size <= most &&
                      segment.end - 1 - groups.back().base() <= INT32_MAX;
    if (!fits) {
      groups.emplace_back();
      size = 0;
    }
    size += segment.size;
    groups.back().segments.push_back(segment);
  }
  return groups;
}

}  // namespace tidemark::log
