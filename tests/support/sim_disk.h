#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/io/file.h"
#include "common/io/no_wait.h"

namespace tidemark::sim {

// A disk in memory that loses what a real one may lose. Everything random
// comes from the seed, so a run replays exactly. Locked: any thread, as
// io::FileSystem promises.
//
// What Crash() does, file by file: of the writes and truncations since the
// last Sync either nothing survives, or a prefix with a torn last write, or a
// random subset of 512-byte sectors (the page cache writes back in any
// order). Directory by directory a prefix of the entry changes (create,
// rename, remove) since the last SyncDirectory survives, as on a journaling
// file system. Handles opened before the crash are dead.
class SimDisk final : public io::FileSystem {
 public:
  explicit SimDisk(uint64_t seed);
  ~SimDisk() override;

  Result<std::shared_ptr<io::File>> Open(const std::string& path,
                                         bool create) override;
  Status CreateDirectories(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& path) override;
  bool Exists(const std::string& path) override;
  Status Remove(const std::string& path) override;
  Status RemoveAll(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status SyncDirectory(const std::string& path) override;
  Result<io::DiskSpace> Space(const std::string& path) override;
  // Since the last Crash().
  bool HasFailedToSync() const override;

  // How often the machine was started.
  uint64_t boots() const;

  // Power off and on again.
  void Crash();
  // The process dies, the machine stays: nothing is lost, handles are dead.
  void KillProcess();
  // After `operations` more changes (writes, syncs, renames, ...) every
  // operation fails until Crash(): the kill point of a test.
  void DieAfter(int64_t operations);
  bool dead() const;
  // How many changes there were so far.
  int64_t operations() const;

  // Writes that would make all files together larger fail with kOutOfSpace,
  // half done as on a real disk. Negative: no limit.
  void SetCapacity(int64_t bytes);
  // No descriptors: opening anything fails with kOutOfHandles while set.
  void FailOpens(bool fail);
  // The same from the one after the next `opens` on.
  void FailOpensAfter(int64_t opens);
  // No room for names: removing and renaming fails with kOutOfSpace from the
  // one after the next `changes` on.
  void FailNamesAfter(int64_t changes);
  // How many changes that has refused.
  int64_t refused_names() const;
  // Operations on paths that contain `part` fail while set; empty: none.
  void FailWrites(std::string part);
  void FailSyncs(std::string part);
  void FailReads(std::string part);
  // From now on nothing is in memory but what is written, read or opened then.
  void DropCaches();
  // Nothing that is read comes into memory any more, nor is it found there.
  void KeepNothing(bool nothing);
  // Told, under the disk's lock, of every file that somebody opens or reads and
  // has to wait for.
  void OnWait(std::function<void(const std::string& path)> told);
  // The bytes change under everybody's feet, and on the platter.
  // REQUIRES: the file exists and is longer.
  void FlipBit(const std::string& path, uint64_t byte, int bit);

  int64_t syncs() const;  // of files and directories, for cost assertions

 private:
  struct Inode;
  struct Directory;
  struct Node;
  class SimFile;

  Directory* FindDirectory(const std::string& path);
  Directory* ParentOf(const std::string& path, std::string* name);
  Status Change(const char* what, const std::string& path);
  bool MayOpen();
  Status ChangeNames(const char* what, const std::string& path);
  bool DeadLocked() const;
  // Where from `at` on the first byte of `count` is that is not in memory.
  std::optional<uint64_t> FirstCold(Inode& inode, uint64_t at, size_t count);
  void Warm(Inode& inode, uint64_t at, size_t count);
  // Fails in the scope of a NoWait, if not all of it is in memory.
  Status Need(Inode& inode, uint64_t at, size_t count,
              io::NoWait::Missed missed);
  bool Lacks(int64_t bytes) const;
  void CrashDirectory(Directory& dir, bool lose);
  void CrashFile(Inode& inode);
  void RemoveTree(Directory& parent, const std::string& name);

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  std::shared_ptr<Directory> root_;
  uint64_t incarnation_ = 0;
  int64_t operations_ = 0;
  int64_t die_at_ = -1;
  int64_t capacity_ = -1;
  int64_t used_ = 0;
  int64_t syncs_ = 0;
  uint64_t boots_ = 1;
  bool failed_to_sync_ = false;
  std::string fail_writes_, fail_syncs_, fail_reads_;
  int64_t opens_left_ = INT64_MAX;
  int64_t names_left_ = INT64_MAX;
  int64_t refused_names_ = 0;
  uint64_t cache_ = 0;  // how often it was dropped
  bool keep_nothing_ = false;
  std::function<void(const std::string&)> on_wait_;
};

}  // namespace tidemark::sim
