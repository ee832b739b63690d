#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "common/base/shared_bytes.h"
#include "controller/raft/members.h"

namespace tidemark::raft {

using Term = uint64_t;      // "epoch" in Kafka's words; 0: before any election
using LogIndex = uint64_t;  // dense, from 1; 0: before the first entry

// Names one entry for ever: two logs that hold the same position hold the
// same entries up to it.
struct LogPosition {
  LogIndex index = 0;
  Term term = 0;

  bool operator==(const LogPosition&) const = default;
};

struct Entry {
  LogIndex index = 0;
  Term term = 0;
  SharedBytes data;    // empty: the no-op a new leader starts with
  MembersPtr members;  // a new configuration of the quorum instead of data

  LogPosition position() const { return {index, term}; }
  bool operator==(const Entry& other) const {
    return position() == other.position() && data == other.data &&
           (members == other.members ||
            (members && other.members && *members == *other.members));
  }
};

// What a node must never forget: a vote is given once a term, to one
// id on one disk.
struct HardState {
  Term term = 0;
  NodeId vote = kNoNode;
  Uuid vote_directory;  // of the last vote, in whichever term; zero: of none

  bool operator==(const HardState&) const = default;
};

// The state machine's state after entry `last`, and who formed the quorum then
// (nullptr: no configuration was in the log yet).
struct Snapshot {
  LogPosition last;
  SharedBytes data;
  MembersPtr members;
};

// What a node finds on its disk when it starts.
//
// base.index <= snapshot.index; entries are dense and start right after
// `base`, which is the last entry that was compacted away.
struct Stored {
  HardState hard_state;
  LogPosition snapshot;
  LogPosition base;
  std::vector<Entry> entries;
  // In force after the snapshot, or from the beginning; nullptr: not agreed.
  MembersPtr members;
};

}  // namespace tidemark::raft
