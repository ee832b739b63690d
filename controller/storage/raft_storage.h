#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

#include "common/base/result.h"
#include "common/base/uuid.h"
#include "common/io/meta_properties.h"
#include "controller/raft/ready.h"

namespace tidemark::storage {

// A controller's disk: the raft log, hard state and newest snapshot in one
// RocksDB under `<directory>/raft`. Layout: keys.h.
//
// Every change is one synced WriteBatch: after return it survives a power
// cut, before it nothing of it does. Any error means that the disk is not to
// be trusted any more: the owner ends the process (a failed sync must not be
// retried). Blocking; one thread at a time, except where noted.
class RaftStorage {
 public:
  // Refuses, saying what to do, a directory that is not formatted, that
  // belongs to another node or cluster (an empty `cluster_id` takes any),
  // that another process has open, whose database is gone, or in which
  // anything that was synced has changed.
  static Result<std::unique_ptr<RaftStorage>> Open(
      const std::string& directory, const std::string& cluster_id,
      NodeId node_id);
  virtual ~RaftStorage() = default;

  virtual const io::MetaProperties& meta() const = 0;

  // What a raft core starts with. Whole log in memory.
  virtual Result<raft::Stored> Load() = 0;
  // The newest snapshot; index 0 and no data when there is none.
  virtual Result<raft::Snapshot> LoadSnapshot() = 0;

  // The directory each other voter had when it was first seen.
  virtual Result<std::map<NodeId, Uuid>> LoadPeers() = 0;
  virtual Status SavePeer(NodeId id, const Uuid& directory) = 0;

  // Carries out `writes` in order, with one sync (group commit). What the
  // entries overwrite, and what an installed snapshot replaces, goes in the
  // same batch.
  virtual Status Write(std::span<const raft::Write> writes) = 0;

  // A snapshot of the own state machine replaces an older one, and the
  // entries up to `compact_to` go. REQUIRES: compact_to <= snapshot.last.
  // Ignored when a newer one is there.
  virtual Status SaveSnapshot(const raft::Snapshot& snapshot,
                              raft::LogIndex compact_to) = 0;
};

}  // namespace tidemark::storage
