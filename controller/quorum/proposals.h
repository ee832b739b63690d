#pragma once

#include <functional>
#include <map>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "controller/quorum/quorum.h"
#include "controller/raft/ready.h"

namespace tidemark::quorum {

// Who waits for which entry to be applied, or for which read to be confirmed.
// Each callback runs exactly once.
class Proposals {
 public:
  using Proposed = std::function<void(Result<MetadataOffset>)>;
  using Read = std::function<void(Status)>;

  void Add(raft::LogPosition position, Proposed done);
  // `entry` was applied: the entry someone waits for, or the one that took
  // its place (kNotController: it never happens).
  void Applied(const raft::Entry& entry);

  // The context for Raft::ReadIndex.
  uint64_t AddRead(Read done);
  void Confirmed(const raft::ReadState& read);
  // Everything up to `applied` has been applied: confirmed reads may go.
  void AppliedTo(raft::LogIndex applied);

  // Leadership is lost: kOutcomeUnknown for every proposal, kNotController for
  // every read.
  void FailAll();

 private:
  struct Waiting {
    raft::Term term;
    Proposed done;
  };
  std::multimap<raft::LogIndex, Waiting> proposals_;
  uint64_t next_context_ = 1;
  std::map<uint64_t, Read> reads_;
  std::multimap<raft::LogIndex, Read> confirmed_;
};

}  // namespace tidemark::quorum
