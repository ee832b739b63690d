#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"

// A log that moves to another log directory (KIP-113) is copied there into a
// folder that no log has the name of. Then, each step on disk before the next:
//
//   1. the copy, whole, which has a kCopyMark in it, gets the log's own name
//   2. a kMovedMark in the original: from here on the copy counts, not it
//   3. the original goes
//   4. kCopyMark goes
//
// Between 1 and 3 nothing is appended to either, so a process that finds both
// takes the copy if the original has a kMovedMark, and the original if not.
// What has a mark and is alone is the log, provided that the other is not in a
// directory that cannot be read.
namespace tidemark::log {

inline constexpr char kCopyMark[] = "copy";
inline constexpr char kMovedMark[] = "moved";

// "orders-3.<32 hex digits>-future", as Kafka has it; another one each time.
std::string NewFutureName(const TopicPartition& partition);
// Whose that is; nullopt: nobody's.
std::optional<TopicPartition> ParseFutureName(std::string_view name);

}  // namespace tidemark::log
