#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/io/file.h"

// Kafka's checkpoint files (kafka CheckpointFile): a version line "0", the
// number of entries, one line per entry. A log directory has three with lines
// "topic partition offset": recovery-point-offset-checkpoint,
// replication-offset-checkpoint (high watermarks), log-start-offset-checkpoint.
namespace tidemark::log {

// No log gets there; what is said to lie behind it on a disk or by a peer is
// damage, and behind it there is room for arithmetic.
inline constexpr Offset kMaxOffset = Offset{1} << 62;

using OffsetMap = std::map<TopicPartition, Offset>;
// 0: none is known.
inline Offset KnownOffset(const OffsetMap& offsets,
                          const TopicPartition& partition) {
  const auto it = offsets.find(partition);
  return it == offsets.end() ? 0 : it->second;
}

inline constexpr char kRecoveryPointFile[] = "recovery-point-offset-checkpoint";
inline constexpr char kHighWatermarkFile[] = "replication-offset-checkpoint";
inline constexpr char kLogStartFile[] = "log-start-offset-checkpoint";
inline constexpr char kCleanerFile[] = "cleaner-offset-checkpoint";

std::string EncodeOffsets(const OffsetMap& offsets);
// kCorruptMessage: not such a file, or an offset that cannot be.
Result<OffsetMap> DecodeOffsets(std::string_view text);

// A missing file is an empty map; so is a broken one, with a warning in the
// log: every user of these numbers has a safe value for "unknown" (B-29).
// kKafkaStorageError: it cannot be read.
Result<OffsetMap> ReadOffsets(io::FileSystem& fs, const std::string& path);
// Atomic and durable.
Status WriteOffsets(io::FileSystem& fs, const std::string& path,
                    const OffsetMap& offsets);

// The entry lines of any such file. kCorruptMessage: the version is not 0 or
// the count is wrong.
Result<std::vector<std::string_view>> ParseCheckpointLines(
    std::string_view text);
// A decimal number and nothing else.
std::optional<int64_t> ParseNumber(std::string_view text);

}  // namespace tidemark::log
