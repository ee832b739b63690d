#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/io/file.h"

// `.kafka_cleanshutdown`, Kafka's marker of a log directory whose logs were
// all closed (B-28): {"version":0,"brokerEpoch":17}.
namespace tidemark::log {

// The broker epoch of the marker and -1 when it has none that is readable;
// nullopt: no marker.
Result<std::optional<int64_t>> ReadCleanShutdownMarker(io::FileSystem& fs,
                                                       const std::string& dir);
// Durably, also when an earlier call got no further than the removal: what
// happens from now on is not a clean shutdown.
Status RemoveCleanShutdownMarker(io::FileSystem& fs, const std::string& dir);
Status WriteCleanShutdownMarker(io::FileSystem& fs, const std::string& dir,
                                int64_t broker_epoch);

}  // namespace tidemark::log
