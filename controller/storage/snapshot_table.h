#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <mutex>
#include <string>

#include "controller/raft/types.h"
#include "controller/storage/raft_storage.h"
#include "controller/storage/store_errors.h"

namespace tidemark::storage {

// The newest snapshot, in a column family of its own. Layout: keys.h.
//
// One that the own state machine writes down goes, part by part, to a file
// beside the database, which becomes a part of it in one step when all of it is
// durable: until then the one before counts, and the writes of the log, which
// share nothing with it, do not wait.
class SnapshotTable {
 public:
  struct Meta {
    raft::LogPosition last;  // index 0: there is none
    uint64_t bytes = 0;
    raft::MembersPtr members;  // nullptr: it does not say
  };

  // `db` and `family` outlive this.
  SnapshotTable(const StoreErrors& errors, rocksdb::DB& db,
                rocksdb::ColumnFamilyHandle* family);

  // Before all else.
  Status Load();
  // Any thread.
  Meta meta() const;
  // All of it. Any thread.
  Result<raft::Snapshot> Read() const;

  // One from a leader: adds to `batch` what puts it in the place of the one
  // before. Counts from now on.
  void Put(const raft::Snapshot& snapshot, rocksdb::WriteBatch* batch);
  // Its size. When a newer one is there, by the end, nothing has changed. One
  // at a time, beside Put.
  Result<size_t> Store(raft::LogPosition last, const raft::MembersPtr& members,
                       const RaftStorage::SnapshotSource& source,
                       const rocksdb::Options& options);

 private:
  class File;
  static std::string PackMeta(const Meta& meta);
  // Makes the file a part of the database.
  Status Take(const std::string& path);
  Result<Meta> ReadMeta(const rocksdb::ReadOptions& options) const;

  const StoreErrors& errors_;
  rocksdb::DB& db_;
  rocksdb::ColumnFamilyHandle* const family_;
  mutable std::mutex mutex_;
  Meta meta_;
};

}  // namespace tidemark::storage
