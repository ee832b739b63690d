#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

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
  // The newest snapshot; index 0 and no data when there is none. Any thread.
  virtual Result<raft::Snapshot> LoadSnapshot() = 0;

  // The directory each other voter had when it was first seen.
  virtual Result<std::map<NodeId, Uuid>> LoadPeers() = 0;
  virtual Status SavePeer(NodeId id, const Uuid& directory) = 0;

  // Carries out `writes` in order, with one sync (group commit). What the
  // entries overwrite, and what an installed snapshot replaces, goes in the
  // same batch.
  virtual Status Write(std::span<const raft::Write> writes) = 0;

  // Carries out `write`, whose snapshot replaces everything, under a new id of
  // the directory: from then on this is nobody that others know. Those who are
  // in `left_behind`, and what this directory was, are not to be heard any
  // more. All of it, or nothing.
  virtual Status BeginAnew(const raft::Write& write, const Uuid& directory,
                           std::set<Uuid> left_behind) = 0;
  // All that were ever left behind here, by their directories.
  virtual Result<std::set<Uuid>> LoadLeftBehind() = 0;

  // A snapshot of the own state machine, as `source` hands it over in parts,
  // replaces an older one once all of it is durable; its size. Ignored, with 0,
  // when a newer one is there. On any one thread, beside all else: neither
  // waits for the other, but for a moment at the end.
  using SnapshotPart = std::function<void(std::string_view)>;
  using SnapshotSource = std::function<void(const SnapshotPart& part)>;
  virtual Result<size_t> StoreSnapshot(raft::LogPosition last,
                                       const raft::MembersPtr& members,
                                       const SnapshotSource& source) = 0;
  // The entries up to `to` go. Ignored when they are gone, or no durable
  // snapshot has them.
  virtual Status Compact(raft::LogIndex to) = 0;
  // Both.
  Status SaveSnapshot(const raft::Snapshot& snapshot,
                      raft::LogIndex compact_to);
};

}  // namespace tidemark::storage
