#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tidemark {

// Levels of a feature, both ends included; 0 is "without it".
struct LevelRange {
  int16_t min = 0;
  int16_t max = 0;

  bool Contains(int level) const { return min <= level && level <= max; }
  bool operator==(const LevelRange&) const = default;
};

// What a node says it supports, by the feature's name. Empty: it is of a
// release that knew of no features, and says nothing.
using FeatureRanges = std::map<std::string, LevelRange>;

// Of what a message says: so many, and no longer names. The rest is left out.
inline constexpr size_t kMaxFeatures = 64;
inline constexpr size_t kMaxFeatureName = 100;  // bytes

// From and to a repeated field of FeatureRange (proto/metadata.proto). Ranges
// that make no sense are left out.
template <class Repeated>
FeatureRanges ReadFeatures(const Repeated& from) {
  FeatureRanges ranges;
  for (const auto& one : from) {
    if (ranges.size() == kMaxFeatures) break;
    if (one.name().empty() || one.name().size() > kMaxFeatureName ||
        one.min_level() < 0 || one.max_level() < one.min_level() ||
        one.max_level() > INT16_MAX)
      continue;
    ranges[one.name()] = {static_cast<int16_t>(one.min_level()),
                          static_cast<int16_t>(one.max_level())};
  }
  return ranges;
}
template <class Repeated>
void WriteFeatures(const FeatureRanges& ranges, Repeated* to) {
  to->Clear();
  for (const auto& [name, range] : ranges) {
    auto* one = to->Add();
    one->set_name(name);
    one->set_min_level(range.min);
    one->set_max_level(range.max);
  }
}

}  // namespace tidemark
