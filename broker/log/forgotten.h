#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"

namespace tidemark::log {

// What a compacted log has forgotten: tombstones and markers that were dropped
// from in front of `below`, once nothing was left of what they were about. A
// replica that has the log's beginning from before, and not all up to `below`,
// would keep that for ever; only one that was copied after `id` is known to
// have nothing of it. Any drop has an id of its own, and a copy has that of
// what it was begun from. In a log's directory it is the name of a file.
struct Forgotten {
  Offset below = 0;
  int64_t id = 0;  // > 0; 0: nothing was forgotten

  bool operator==(const Forgotten&) const = default;
};

// With a new id.
Forgotten ForgetBelow(Offset below);

std::string ForgottenFileName(const Forgotten& forgotten);
// nullopt: it is no such name.
std::optional<Forgotten> ParseForgottenFileName(std::string_view name);
// What is known of a log in which a crash has left two of them: neither id.
Forgotten Either(const Forgotten& a, const Forgotten& b);

// The leader's question about a follower whose log ends at `end`, begun from
// `follower`'s.
inline bool MayKeepForgotten(const Forgotten& leader, Offset end,
                             int64_t follower) {
  return end < leader.below && follower != leader.id;
}

}  // namespace tidemark::log
