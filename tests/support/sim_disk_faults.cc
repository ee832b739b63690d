// What happens to a SimDisk: power cuts, kills, and what its tests order.

#include <algorithm>

#include "tests/support/sim_disk_state.h"

namespace tidemark::sim {
namespace {

constexpr uint64_t kSector = 512;

}  // namespace

void SimDisk::DropCaches() {
  std::lock_guard lock(mutex_);
  ++cache_;
}

void SimDisk::KeepNothing(bool nothing) {
  std::lock_guard lock(mutex_);
  keep_nothing_ = nothing;
}

void SimDisk::OnWait(std::function<void(const std::string& path)> told) {
  std::lock_guard lock(mutex_);
  on_wait_ = std::move(told);
}

void SimDisk::CrashFile(Inode& inode) {
  std::string bytes = inode.durable;
  std::vector<ByteChange>& changes = inode.unsynced;
  switch (random_() % 3) {
    case 0:
      break;
    case 1: {  // a prefix, the last write torn
      size_t keep = random_() % (changes.size() + 1);
      for (size_t i = 0; i < keep; ++i) Apply(bytes, changes[i]);
      if (keep < changes.size() && !changes[keep].truncate) {
        const auto& torn = changes[keep];
        size_t n = random_() % (torn.bytes.size() + 1);
        Apply(bytes, torn.at, std::string_view(torn.bytes).substr(0, n));
      }
      break;
    }
    default: {  // any sectors
      for (const auto& change : changes) {
        if (change.truncate) {
          // The size is metadata: journalled, in order.
          Apply(bytes, change);
          continue;
        }
        uint64_t at = change.at;
        std::string_view rest = change.bytes;
        while (!rest.empty()) {
          size_t n = std::min<size_t>(rest.size(), kSector - at % kSector);
          if (random_() % 2 == 0) Apply(bytes, at, rest.substr(0, n));
          at += n;
          rest.remove_prefix(n);
        }
      }
    }
  }
  inode.durable = bytes;
  inode.current = std::move(bytes);
  inode.unsynced.clear();
}

void SimDisk::CrashDirectory(Directory& dir, bool lose) {
  size_t keep =
      lose ? random_() % (dir.unsynced.size() + 1) : dir.unsynced.size();
  for (size_t i = 0; i < keep; ++i) {
    Directory::ApplyTo(dir.durable, dir.unsynced[i]);
  }
  dir.unsynced.clear();
  dir.current = dir.durable;
  for (auto& [name, node] : dir.current) {
    if (node.directory) {
      CrashDirectory(*node.directory, lose);
    } else {
      CrashFile(*node.file);
      used_ += static_cast<int64_t>(node.file->current.size());
    }
  }
}

bool SimDisk::HasFailedToSync() const {
  std::lock_guard lock(mutex_);
  return failed_to_sync_;
}

uint64_t SimDisk::boots() const {
  std::lock_guard lock(mutex_);
  return boots_;
}

void SimDisk::Crash() {
  std::lock_guard lock(mutex_);
  ++boots_;
  failed_to_sync_ = false;
  used_ = 0;
  CrashDirectory(*root_, true);
  ++incarnation_;
  die_at_ = -1;
}

void SimDisk::KillProcess() {
  std::lock_guard lock(mutex_);
  ++incarnation_;
  die_at_ = -1;
}

void SimDisk::DieAfter(int64_t operations) {
  std::lock_guard lock(mutex_);
  die_at_ = operations_ + operations;
}

bool SimDisk::dead() const {
  std::lock_guard lock(mutex_);
  return DeadLocked();
}

int64_t SimDisk::operations() const {
  std::lock_guard lock(mutex_);
  return operations_;
}

int64_t SimDisk::syncs() const {
  std::lock_guard lock(mutex_);
  return syncs_;
}

void SimDisk::SetCapacity(int64_t bytes) {
  std::lock_guard lock(mutex_);
  capacity_ = bytes;
}

void SimDisk::FailOpens(bool fail) { FailOpensAfter(fail ? 0 : INT64_MAX); }

int64_t SimDisk::refused_names() const {
  std::lock_guard lock(mutex_);
  return refused_names_;
}

void SimDisk::FailNamesAfter(int64_t changes) {
  std::lock_guard lock(mutex_);
  names_left_ = changes;
}

void SimDisk::FailOpensAfter(int64_t opens) {
  std::lock_guard lock(mutex_);
  opens_left_ = opens;
}

void SimDisk::FailWrites(std::string part) {
  std::lock_guard lock(mutex_);
  fail_writes_ = std::move(part);
}

void SimDisk::FailSyncs(std::string part) {
  std::lock_guard lock(mutex_);
  fail_syncs_ = std::move(part);
}

void SimDisk::FailReads(std::string part) {
  std::lock_guard lock(mutex_);
  fail_reads_ = std::move(part);
}

void SimDisk::FlipBit(const std::string& path, uint64_t byte, int bit) {
  std::lock_guard lock(mutex_);
  std::string name;
  Directory* parent = ParentOf(path, &name);
  Inode& inode = *parent->current.at(name).file;
  char flip = static_cast<char>(1 << bit);
  inode.current.at(byte) ^= flip;
  if (byte < inode.durable.size()) inode.durable[byte] ^= flip;
}

}  // namespace tidemark::sim
