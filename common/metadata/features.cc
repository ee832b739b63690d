#include "common/metadata/features.h"

#include <algorithm>

namespace tidemark::metadata {
namespace {

constexpr Feature kFeatures[] = {
    {kMetadataVersion, {kBaseLevel, kNewestLevel}, kBaseLevel},
    {kKraftVersion, {0, kVotersInLog}, 0},
    {kTransactionVersion, {0, 2}, 0},
};

}  // namespace

std::span<const Feature> Features() { return kFeatures; }

const Feature* FindFeature(std::string_view name) {
  const auto* found = std::find_if(
      std::begin(kFeatures), std::end(kFeatures),
      [&](const Feature& feature) { return feature.name == name; });
  return found == std::end(kFeatures) ? nullptr : found;
}

std::map<std::string, int16_t> InitialLevels() {
  std::map<std::string, int16_t> out;
  for (const Feature& feature : kFeatures) {
    if (feature.name == std::string_view(kKraftVersion)) continue;
    out[feature.name] = feature.supported.max;
  }
  return out;
}

const FeatureRanges& SupportedFeatures() {
  static const FeatureRanges ranges = [] {
    FeatureRanges out;
    for (const Feature& feature : kFeatures) {
      out[feature.name] = feature.supported;
    }
    return out;
  }();
  return ranges;
}

std::optional<LevelRange> RangeOf(const FeatureRanges& said,
                                  const std::string& feature) {
  if (auto found = said.find(feature); found != said.end()) {
    return found->second;
  }
  const Feature* known = FindFeature(feature);
  if (known == nullptr) return std::nullopt;
  return LevelRange{known->assumed, known->assumed};
}

std::string KindOf(const v1::Record& record) {
  const auto* field =
      v1::Record::descriptor()->FindFieldByNumber(record.kind_case());
  return field == nullptr ? "unknown" : std::string(field->name());
}

namespace {

bool IsOfMoves(const v1::SetConfig& config) {
  return config.type() == v1::GROUP || config.type() == v1::CLIENT_METRICS;
}

}  // namespace

// The table: a kind, or a field that a kind has got later, and its level.
int16_t RequiredLevel(const v1::Record& record) {
  switch (record.kind_case()) {
    case v1::Record::kUnregisterBroker:
    case v1::Record::kAddTopic:
    case v1::Record::kRemoveTopic:
    case v1::Record::kAllocateProducerIds:
    case v1::Record::kNoOp:
    case v1::Record::kAnswerRequest:
      return kBaseLevel;
    case v1::Record::kAddPartition:
      return record.add_partition().adding_replicas().empty() &&
                     record.add_partition().removing_replicas().empty()
                 ? kBaseLevel
                 : kMovesLevel;
    case v1::Record::kChangePartition:
      return record.change_partition().has_adding_replicas() ||
                     record.change_partition().has_removing_replicas()
                 ? kMovesLevel
                 : kBaseLevel;
    case v1::Record::kSetConfig:
      return IsOfMoves(record.set_config()) ? kMovesLevel : kBaseLevel;
    case v1::Record::kRegisterBroker:
      return record.register_broker().features().empty() ? kBaseLevel
                                                         : kFeaturesLevel;
    case v1::Record::kChangeBroker:
      return record.change_broker().has_features() ? kFeaturesLevel
                                                   : kBaseLevel;
    case v1::Record::kSetFeature:
      return kFeaturesLevel;
    case v1::Record::kSetAcl:
    case v1::Record::kRemoveAcl:
    case v1::Record::kSetScramCredential:
    case v1::Record::kRemoveScramCredential:
      return kSecurityLevel;
    case v1::Record::KIND_NOT_SET:
      break;
  }
  return INT16_MAX;
}

}  // namespace tidemark::metadata
