#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/base/result.h"

namespace tidemark::io {

// With which levels a new cluster begins, by feature: kept in a controller's
// directory from its formatting on, and heeded by the first active controller
// while nothing was made in the cluster. Load: empty when there are none, as in
// a directory that a release before feature levels has formatted.
//
//   metadata.version=2
//
// Blocking; kKafkaStorageError, kInvalidConfig for a damaged file.
using InitialFeatures = std::map<std::string, int16_t>;
Status SaveInitialFeatures(const std::string& directory,
                           const InitialFeatures& features);
Result<InitialFeatures> LoadInitialFeatures(const std::string& directory);

}  // namespace tidemark::io
