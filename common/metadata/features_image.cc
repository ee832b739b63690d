#include "common/metadata/features_image.h"

namespace tidemark::metadata {

int16_t FeaturesImage::LevelOf(const std::string& feature) const {
  if (auto found = levels_.find(feature); found != levels_.end()) {
    return found->second;
  }
  const Feature* known = FindFeature(feature);
  return known == nullptr ? 0 : known->assumed;
}

Status FeaturesImage::Apply(const v1::SetFeature& record) {
  const Feature* known = FindFeature(record.name());
  if (known == nullptr || !known->supported.Contains(record.level())) {
    return Fail(ErrorCode::kUnsupportedVersion,
                "the cluster works at " + record.name() + " level " +
                    std::to_string(record.level()) + ", and this release " +
                    (known == nullptr
                         ? "does not know that feature"
                         : "supports " + std::to_string(known->supported.min) +
                               " to " + std::to_string(known->supported.max)) +
                    ": run the release that the others run");
  }
  if (record.level() == known->assumed) {
    levels_.erase(record.name());
  } else {
    levels_[record.name()] = static_cast<int16_t>(record.level());
  }
  return {};
}

void FeaturesImage::ToRecords(const RecordSink& sink) const {
  for (const auto& [name, level] : levels_) {
    v1::Record record;
    record.mutable_set_feature()->set_name(name);
    record.mutable_set_feature()->set_level(level);
    sink(std::move(record));
  }
}

}  // namespace tidemark::metadata
