#pragma once

#include <map>
#include <string>

#include "common/metadata/features.h"
#include "common/metadata/record.h"

namespace tidemark::metadata {

// The levels that the cluster works at.
class FeaturesImage {
 public:
  // What is assumed where the log says nothing; 0 for an unknown feature.
  int16_t LevelOf(const std::string& feature) const;
  int16_t metadata_version() const { return LevelOf(kMetadataVersion); }
  // By name, those that differ from what is assumed.
  const std::map<std::string, int16_t>& levels() const { return levels_; }

  // kUnsupportedVersion: it asks for another release than this one.
  Status Apply(const v1::SetFeature& record);
  void ToRecords(const RecordSink& sink) const;
  // Nobody is told what differs.
  bool operator==(const FeaturesImage&) const = default;

 private:
  std::map<std::string, int16_t> levels_;
};

}  // namespace tidemark::metadata
