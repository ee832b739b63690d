#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/feature_ranges.h"
#include "common/base/result.h"
#include "proto/metadata.pb.h"

namespace tidemark::metadata {

// Which levels of which features this release supports, and what may be written
// to the log at which level (C-01): a record that an older release would not
// understand is not written before every node of the cluster understands it and
// an operator has said so (KIP-584).

// metadata.version: which records there are. Our own numbers.
inline constexpr char kMetadataVersion[] = "metadata.version";
//   1: what the releases before feature levels wrote.
inline constexpr int16_t kBaseLevel = 1;
//   2: feature levels, and what each broker supports.
inline constexpr int16_t kFeaturesLevel = 2;
//   3: partitions that move, settings of groups and of client metrics.
inline constexpr int16_t kMovesLevel = 3;
//   4: credentials of users, access control lists, quotas of clients.
inline constexpr int16_t kSecurityLevel = 4;
inline constexpr int16_t kNewestLevel = kSecurityLevel;

// kraft.version: 1 when the voters are in the log (KIP-853), which the quorum
// sees to itself.
inline constexpr char kKraftVersion[] = "kraft.version";
inline constexpr int16_t kVotersInLog = 1;

// transaction.version: 1 when every broker takes part in transactions, 2 when
// each transaction has an epoch of its own (KIP-890). Kafka's numbers.
inline constexpr char kTransactionVersion[] = "transaction.version";

struct Feature {
  const char* name;
  LevelRange supported;
  int16_t assumed;  // where the log says nothing
};
std::span<const Feature> Features();
// nullptr for one this release does not know.
const Feature* FindFeature(std::string_view name);
// What a new cluster begins with unless told otherwise: the newest of what
// others do not decide.
std::map<std::string, int16_t> InitialLevels();
// All of them, as this node tells others.
const FeatureRanges& SupportedFeatures();
// What a node supports that has said `said`: of what it does not name, the
// level that is assumed. nullopt for a feature unknown to it and to us.
std::optional<LevelRange> RangeOf(const FeatureRanges& said,
                                  const std::string& feature);

// A record by its kind's name, "set_feature".
std::string KindOf(const v1::Record& record);
// The level of metadata.version that allows the record, with the fields that
// it has set.
int16_t RequiredLevel(const v1::Record& record);

}  // namespace tidemark::metadata
