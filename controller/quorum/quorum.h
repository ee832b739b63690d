#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/base/feature_ranges.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/shared_bytes.h"
#include "controller/raft/members.h"

namespace tidemark::quorum {

// Largest entry Propose takes (kMessageTooLarge above): with its append it
// stays below gRPC's 4 MiB.
inline constexpr size_t kMaxEntryBytes = 3 << 20;

// How a proposal fails that may yet be committed, or is. Any other failure says
// that it is not, and never will be (C-26).
inline constexpr ErrorCode kOutcomeUnknown = ErrorCode::kRequestTimedOut;

// One entry that a majority of the controllers has on stable storage.
struct Committed {
  MetadataOffset offset;  // raft index; dense, from 1
  uint64_t term;
  std::string data;  // empty: the no-op a new leader starts with
};

// A state that does not change any more, while the machine it is of goes on. It
// may be the last to hold what it is made of: whoever drops it takes the time.
class FrozenState {
 public:
  virtual ~FrozenState() = default;
  // All of it, for ReadSnapshot, in pieces of some hundred KiB. Any thread.
  using Part = std::function<void(std::string_view)>;
  virtual void Write(const Part& part) const = 0;
};

inline std::string ToBytes(const FrozenState& state) {
  std::string bytes;
  state.Write([&](std::string_view part) { bytes += part; });
  return bytes;
}

// What the quorum drives: the controller. Every call comes on the quorum's
// executor, one at a time, but for ReadSnapshot and CheckEntry.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Entries in log order, each exactly once, from the offset after the state
  // that was loaded last.
  virtual void Apply(std::span<const Committed> entries) = 0;
  // Whether the bytes that a peer has sent are an entry, so that no others are
  // stored. Any thread, beside all other calls.
  virtual Status CheckEntry(std::string_view /*data*/) const { return {}; }
  // Reads the state after entry `offset` from what a FrozenState wrote, or says
  // why it is none. What it returns replaces everything by it, at once, and is
  // run on the executor, if ever; with it goes what was replaced. Any thread,
  // beside all other calls.
  using Install = std::function<void()>;
  virtual Result<Install> ReadSnapshot(SharedBytes data,
                                       MetadataOffset offset) = 0;
  // After the state of a snapshot was loaded: each entry that the log still has
  // and the snapshot covers, in its order. A process that ended between the two
  // has not taken out what it meant to.
  virtual void StillInLog(std::string_view /*data*/) {}
  // The state after the last applied entry, at once.
  virtual std::shared_ptr<const FrozenState> TakeSnapshot() = 0;
  // Asked after Apply, until a snapshot was taken: one is to be taken at once,
  // and no entry kept that it covers, whoever lags.
  virtual bool WantsSnapshot() { return false; }
  // This node leads `term` and has applied every entry of earlier terms.
  virtual void BecomeActive(uint64_t term) = 0;
  // It does not any more. Proposals not yet answered fail right after this
  // call, with kOutcomeUnknown.
  virtual void Resign() = 0;
};

struct Voter {
  NodeId id;
  std::string host;
  uint16_t port;
};

// What is to become of one controller.
struct MemberChange {
  enum class Kind : uint8_t { kAdd, kRemove };
  Kind kind = Kind::kAdd;
  raft::Member member;  // to remove: zero directory for whichever it is
  // Add: let it follow, without a vote. Remove: refuse a voter.
  bool only_learner = false;
};

// How long something took, each time.
struct Times {
  uint64_t count = 0;
  Duration sum{}, longest{};

  void Add(Duration took) {
    ++count;
    sum += took;
    longest = std::max(longest, took);
  }
};

struct QuorumStatus {
  NodeId self = kNoNode;
  NodeId leader = kNoNode;
  uint64_t term = 0;
  MetadataOffset last = 0, committed = 0, applied = 0, snapshot = 0;
  struct Peer {
    Voter voter;
    Uuid directory;  // zero: not agreed on
    bool votes = true;
    MetadataOffset match = 0;  // known only on the leader
    bool recently_active = false;
    uint64_t dropped_messages = 0;
  };
  std::vector<Peer> peers;  // all members, this one too
  // Who is about to be one, once the changes before that are made: known only
  // on the leader.
  std::vector<NodeId> adding;
  Uuid directory;  // of this one
  // Since the process began.
  struct {
    Times commit;    // from proposal to applied, here
    Times write;     // of the log, synced
    Times snapshot;  // taken and stored
  } times;
  size_t snapshot_bytes = 0;  // of the newest one taken
  uint64_t elections_lost = 0;
  bool disk_full = false;  // this node neither votes nor leads
};

// Whether this node was taken out of the quorum: nobody will tell it who leads.
inline bool IsRemoved(const QuorumStatus& status) {
  if (status.leader != kNoNode || status.peers.empty()) return false;
  for (const QuorumStatus::Peer& peer : status.peers)
    if (peer.voter.id == status.self) return false;
  return true;
}

// The replicated log of the controllers, as one of them sees it.
//
// Owned by the process; all calls on the executor it was made with, unless a
// method says otherwise.
class Quorum {
 public:
  virtual ~Quorum() = default;

  // Replicates `data`; `done` runs on the executor after the entry has been
  // applied, with its offset. kNotController: this node did not lead, or
  // another entry has taken the place of this one; it was not done.
  // kOutcomeUnknown: this node has lost leadership meanwhile.
  virtual void Propose(std::string data,
                       std::function<void(Result<MetadataOffset>)> done) = 0;

  // Linearizable read barrier (raft thesis 6.4): `done` runs when everything
  // committed before this call has been applied here and this node still led.
  // kNotController.
  virtual void ReadIndex(std::function<void(Status)> done) = 0;

  // Adds or removes a voter, step by step: a new one follows first, and votes
  // once it has caught up. `done` runs on the executor when the change is
  // committed, or it is so already; repeating it is safe. kNotController,
  // kDuplicateVoter, kVoterNotFound, kInvalidRequest; kRequestTimedOut after
  // `limit`, when it may still come.
  virtual void Change(MemberChange change, Duration limit,
                      std::function<void(Status)> done) = 0;
  // Asks that voter to lead; it does or not within an election timeout. One
  // that leads goes on.
  // kNotController, kInvalidRequest, kBrokerNotAvailable.
  virtual Status Transfer(NodeId to) = 0;

  virtual QuorumStatus status() const = 0;
  // Of the log, here, committed or not: as in the status.
  virtual MetadataOffset last() const { return status().last; }
  // kNoNode when none is known.
  virtual NodeId leader() const = 0;
  // Host and port of a voter's gRPC listener.
  virtual std::optional<Voter> FindVoter(NodeId id) const = 0;
  // What a controller supports by its own word, as of the last time that it
  // connected to this one. nullopt: it has not since this process began.
  virtual std::optional<FeatureRanges> FeaturesOf(const raft::Member&) const {
    return std::nullopt;
  }
};

}  // namespace tidemark::quorum
