#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/feature_ranges.h"
#include "common/base/result.h"
#include "common/rpc/security.h"
#include "controller/quorum/quorum.h"
#include "controller/raft/types.h"

namespace tidemark::quorum {

struct Options {
  NodeId self = kNoNode;
  std::string directory;   // formatted for `self`
  std::string cluster_id;  // empty: whatever the directory says
  // Who votes until the log says it; `self` among them. Empty: the log says it
  // from the start, or this node is to be added to a quorum.
  std::vector<Voter> voters;
  // Where others reach this node; if not set, as `voters` say.
  std::string host;
  uint16_t port = 0;
  FeatureRanges features;     // what this node supports; others are told
  rpc::SecurityPtr security;  // of the streams; nullptr: plaintext

  int64_t tick_ms = 50;
  uint32_t heartbeat_ticks = 2;
  uint32_t election_ticks_min = 6;
  uint32_t election_ticks_max = 12;

  size_t max_inflight_messages = 128;      // appends to one follower
  size_t max_append_bytes = 512 << 10;     // entries in one of them
  raft::LogIndex max_promotion_lag = 256;  // of a learner that is to vote
  // A long tail is applied in slices of so many bytes.
  size_t max_apply_bytes = 16 << 10;
  // A snapshot is taken after so much was applied, and leaves so many entries
  // behind it for followers that lag a little.
  uint64_t snapshot_every_bytes = 20 << 20;
  uint64_t snapshot_every_entries = 100'000;
  uint64_t snapshot_slack_entries = 1'000;

  // A write that takes so long is taken for one that never ends: the process
  // does, so that whoever watches it notices.
  int64_t disk_timeout_ms = 30'000;

  uint64_t seed = 0;  // of the election timeouts; 0: random
};

// kInvalidConfig, saying what does not fit.
Status CheckOptions(const Options& options);

}  // namespace tidemark::quorum
