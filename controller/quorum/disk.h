#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "controller/quorum/quorum.h"
#include "controller/raft/ready.h"

namespace tidemark::quorum {

// A disk with less room than that is full: what a database may need to end what
// it has begun.
inline constexpr uint64_t kLeastFree = 16 << 20;

// What a node asks of its disk. No call waits for it; what it has done it says
// on the node's executor. It never fails: a disk that does is not to be trusted
// any more, and whoever owns it ends the process.
//
// Production: StorageThread. Simulation: a disk whose owner decides what
// becomes durable when, and what is lost.
class Disk {
 public:
  virtual ~Disk() = default;

  // In the order they were asked for: `done` gets the writes back (without
  // their entries) once they are durable, several at a time where they shared a
  // sync.
  using Written = std::function<void(std::vector<raft::Write>)>;
  virtual void Write(raft::Write write,
                     const std::shared_ptr<Written>& done) = 0;
  // In that order, too. See RaftStorage.
  virtual void SavePeer(NodeId id, const Uuid& directory,
                        std::function<void()> done) = 0;

  // Beside all that: no write waits until a snapshot is written down, or read.
  // One that is half written does not count. Once it is durable the entries up
  // to `compact_to` go; then `done` gets its size.
  virtual void SaveSnapshot(raft::LogPosition last, raft::MembersPtr members,
                            std::shared_ptr<const FrozenState> state,
                            raft::LogIndex compact_to,
                            std::function<void(size_t bytes)> done) = 0;
  // The newest that is durable.
  virtual void LoadSnapshot(std::function<void(raft::Snapshot)> done) = 0;

  // It begins nothing before there is room.
  virtual bool full() const = 0;
  virtual Times write_times() const = 0;
};

}  // namespace tidemark::quorum
