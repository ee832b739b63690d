#pragma once

#include <optional>

#include "broker/log/forgotten.h"
#include "broker/log/log.h"
#include "common/base/ids.h"

// Where two logs part (KIP-101, KIP-279, KIP-320, KIP-595): decided by leader
// epochs, never by high watermarks. Pure functions.
namespace tidemark::replication {

enum class FetchPosition : uint8_t {
  kValid,       // everything below the fetch offset is the leader's too
  kDiverging,   // the logs part below it
  kOutOfRange,  // before the leader's start, or beyond its end
};

struct FetchCheck {
  FetchPosition position = FetchPosition::kValid;
  log::EpochEnd diverging;  // of kDiverging: what the follower cuts by
};

// The leader's side of a fetch (B-11). `last_fetched_epoch` is the epoch of
// the record before `fetch_offset`, -1 when the fetcher does not say; `own` is
// the leader's EndOffsetFor(last_fetched_epoch), `own_latest` its newest epoch.
FetchCheck CheckFetchPosition(Offset fetch_offset,
                              LeaderEpoch last_fetched_epoch, log::EpochEnd own,
                              LeaderEpoch own_latest, Offset start_offset,
                              Offset end_offset);

// What becomes of a log.
struct LogCut {
  enum class Kind : uint8_t {
    kTruncate,   // nothing from `at` on is left
    kDamaged,    // the same, but what is on disk there cannot be believed
    kStartOver,  // nothing is left, and it begins anew at `at`
  };
  Kind kind = Kind::kTruncate;
  Offset at = 0;
  // kStartOver: by a log that has forgotten this; nullopt: nobody has said.
  std::optional<log::Forgotten> from = std::nullopt;
};

// The follower's side (B-12): where to cut after the leader answered
// `leader`; `own` is the follower's EndOffsetFor(leader.epoch). The next fetch
// is checked again, so cutting may take several rounds.
Offset TruncationTarget(log::EpochEnd leader, log::EpochEnd own,
                        Offset start_offset, Offset end_offset);

}  // namespace tidemark::replication
