#include "tests/support/sim_disk.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

namespace tidemark::sim {
namespace {

constexpr uint64_t kSector = 512;
constexpr uint64_t kPage = 4096;

struct ByteChange {
  bool truncate = false;
  uint64_t at = 0;  // or the new size
  std::string bytes;
};

void Apply(std::string& content, uint64_t at, std::string_view bytes) {
  if (content.size() < at + bytes.size()) content.resize(at + bytes.size());
  std::memcpy(content.data() + at, bytes.data(), bytes.size());
}

void Apply(std::string& content, const ByteChange& change) {
  if (change.truncate) {
    content.resize(change.at);
  } else {
    Apply(content, change.at, change.bytes);
  }
}

std::vector<std::string> Split(const std::string& path) {
  std::vector<std::string> parts;
  std::string part;
  for (char c : path + "/") {
    if (c != '/') {
      part += c;
    } else if (!part.empty() && part != ".") {
      parts.push_back(std::move(part));
      part.clear();
    } else {
      part.clear();
    }
  }
  return parts;
}

tl::unexpected<Error> Broken(const std::string& what, const std::string& path,
                             const char* why) {
  return Fail(ErrorCode::kKafkaStorageError,
              "cannot " + what + " " + path + ": " + why);
}

tl::unexpected<Error> OutOfSpace(const std::string& what,
                                 const std::string& path) {
  return Fail(ErrorCode::kOutOfSpace,
              "cannot " + what + " " + path + ": No space left on device");
}

tl::unexpected<Error> OutOfHandles(const std::string& path) {
  return Fail(ErrorCode::kOutOfHandles,
              "cannot open " + path + ": Too many open files");
}

// The empty part stands for no path at all.
bool Contains(const std::string& path, const std::string& part) {
  return !part.empty() && path.find(part) != std::string::npos;
}

}  // namespace

struct SimDisk::Inode {
  std::string current;
  std::string durable;
  std::vector<ByteChange> unsynced;
  // What is in memory since the cache was dropped for the `cache`th time.
  uint64_t cache = 0;
  std::set<uint64_t> pages;
};

struct SimDisk::Node {
  std::shared_ptr<Inode> file;  // one of the two
  std::shared_ptr<Directory> directory;
};

struct SimDisk::Directory {
  struct EntryChange {
    std::string remove;  // empty: nothing
    std::string add;     // empty: nothing
    Node node;           // of `add`
  };
  std::map<std::string, Node> current;
  std::map<std::string, Node> durable;
  std::vector<EntryChange> unsynced;

  void Make(EntryChange change) {
    ApplyTo(current, change);
    unsynced.push_back(std::move(change));
  }
  static void ApplyTo(std::map<std::string, Node>& entries,
                      const EntryChange& change) {
    if (!change.remove.empty()) entries.erase(change.remove);
    if (!change.add.empty()) entries[change.add] = change.node;
  }
};

class SimDisk::SimFile final : public io::File {
 public:
  SimFile(SimDisk& disk, std::shared_ptr<Inode> inode, std::string path)
      : disk_(disk),
        inode_(std::move(inode)),
        path_(std::move(path)),
        incarnation_(disk.incarnation_) {}

  Result<size_t> ReadAt(uint64_t at, char* to, size_t count) const override {
    std::lock_guard lock(disk_.mutex_);
    if (Stale()) return Broken("read", path_, "the machine was restarted");
    if (Contains(path_, disk_.fail_reads_)) {
      return Broken("read", path_, "Input/output error");
    }
    const std::string& bytes = inode_->current;
    if (at >= bytes.size()) return size_t{0};
    size_t n = std::min<uint64_t>(count, bytes.size() - at);
    TM_RETURN_IF_ERROR(disk_.Need(*inode_, at, n,
                                  {shared_from_this(), at, n, nullptr, path_}));
    std::memcpy(to, bytes.data() + at, n);
    return n;
  }

  Result<std::optional<size_t>> ReadCachedAt(uint64_t at, char* to,
                                             size_t count) const override {
    {
      std::lock_guard lock(disk_.mutex_);
      const uint64_t size = inode_->current.size();
      count = at < size ? std::min<uint64_t>(count, size - at) : 0;
      if (const auto cold = disk_.FirstCold(*inode_, at, count)) {
        if (*cold == at) return std::nullopt;
        count = *cold - at;
      }
    }
    return ReadAt(at, to, count);
  }

  Status WriteAt(uint64_t at, std::string_view bytes) override {
    return WriteAtV(at, std::span(&bytes, 1));
  }

  Status WriteAtV(uint64_t at,
                  std::span<const std::string_view> pieces) override {
    std::lock_guard lock(disk_.mutex_);
    if (Stale()) return Broken("write", path_, "the machine was restarted");
    std::string bytes;
    for (std::string_view piece : pieces) bytes += piece;
    if (bytes.empty()) return {};
    TM_RETURN_IF_ERROR(Mutate(std::move(bytes), at));
    return {};
  }

  Status Truncate(uint64_t size) override {
    std::lock_guard lock(disk_.mutex_);
    if (Stale()) return Broken("truncate", path_, "the machine was restarted");
    TM_RETURN_IF_ERROR(disk_.Change("truncate", path_));
    disk_.used_ += static_cast<int64_t>(size) -
                   static_cast<int64_t>(inode_->current.size());
    inode_->current.resize(size);
    inode_->unsynced.push_back({true, size, {}});
    return {};
  }

  Result<uint64_t> Size() const override {
    std::lock_guard lock(disk_.mutex_);
    if (Stale()) return Broken("stat", path_, "the machine was restarted");
    return inode_->current.size();
  }

  Status Reserve(uint64_t size) override {
    std::lock_guard lock(disk_.mutex_);
    if (Stale()) return Broken("reserve", path_, "the machine was restarted");
    if (size <= inode_->current.size()) return {};
    TM_RETURN_IF_ERROR(disk_.Change("reserve", path_));
    const auto grown = static_cast<int64_t>(size - inode_->current.size());
    if (disk_.Lacks(grown)) return OutOfSpace("reserve", path_);
    disk_.used_ += grown;
    inode_->current.resize(size);
    inode_->unsynced.push_back({true, size, {}});
    return {};
  }

  Status Sync() override {
    std::lock_guard lock(disk_.mutex_);
    if (Stale()) return Broken("sync", path_, "the machine was restarted");
    TM_RETURN_IF_ERROR(disk_.Change("sync", path_));
    if (Contains(path_, disk_.fail_syncs_)) {
      // As Linux does: the dirty pages are gone, the next sync would succeed.
      inode_->unsynced.clear();
      disk_.failed_to_sync_ = true;
      return Broken("sync", path_, "Input/output error");
    }
    ++disk_.syncs_;
    for (const auto& change : inode_->unsynced) {
      Apply(inode_->durable, change);
    }
    inode_->unsynced.clear();
    return {};
  }

 private:
  bool Stale() const { return incarnation_ != disk_.incarnation_; }

  Status Mutate(std::string bytes, uint64_t at) {
    // The write that hits the kill point is torn.
    bool dies = disk_.die_at_ >= 0 && disk_.operations_ + 1 >= disk_.die_at_;
    if (dies && !disk_.DeadLocked()) {
      bytes.resize(disk_.random_() % (bytes.size() + 1));
      Apply(inode_->current, at, bytes);
      inode_->unsynced.push_back({false, at, std::move(bytes)});
    }
    TM_RETURN_IF_ERROR(disk_.Change("write", path_));
    if (Contains(path_, disk_.fail_writes_)) {
      return Broken("write", path_, "Input/output error");
    }
    int64_t grown = static_cast<int64_t>(at + bytes.size()) -
                    static_cast<int64_t>(inode_->current.size());
    if (grown > 0) {
      if (disk_.Lacks(grown)) return WriteWhatFits(std::move(bytes), at, grown);
      disk_.used_ += grown;
    }
    Apply(inode_->current, at, bytes);
    disk_.Warm(*inode_, at, bytes.size());
    inode_->unsynced.push_back({false, at, std::move(bytes)});
    return {};
  }

  // As a real disk: the rest is refused afterwards.
  Status WriteWhatFits(std::string bytes, uint64_t at, int64_t grown) {
    const int64_t room = std::max<int64_t>(disk_.capacity_ - disk_.used_, 0);
    const auto size = static_cast<int64_t>(bytes.size());
    bytes.resize(
        static_cast<size_t>(std::clamp<int64_t>(size - grown + room, 0, size)));
    if (!bytes.empty()) {
      const size_t before = inode_->current.size();
      Apply(inode_->current, at, bytes);
      disk_.used_ += static_cast<int64_t>(inode_->current.size() - before);
      inode_->unsynced.push_back({false, at, std::move(bytes)});
    }
    return OutOfSpace("write", path_);
  }

  SimDisk& disk_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
  uint64_t incarnation_;
};

SimDisk::SimDisk(uint64_t seed)
    : random_(seed), root_(std::make_shared<Directory>()) {}

SimDisk::~SimDisk() = default;

bool SimDisk::Lacks(int64_t bytes) const {
  return capacity_ >= 0 && used_ + bytes > capacity_;
}

// The first byte that is asked for brings the file itself into memory.
std::optional<uint64_t> SimDisk::FirstCold(Inode& inode, uint64_t at,
                                           size_t count) {
  if (keep_nothing_) return at;
  if (cache_ == 0) return std::nullopt;
  if (inode.cache != cache_) return at;
  for (uint64_t page = at / kPage; page * kPage < at + count; ++page) {
    if (!inode.pages.contains(page)) return std::max(at, page * kPage);
  }
  return std::nullopt;
}

void SimDisk::Warm(Inode& inode, uint64_t at, size_t count) {
  if (cache_ == 0 || keep_nothing_) return;
  if (inode.cache != cache_) inode.pages.clear();
  inode.cache = cache_;
  for (uint64_t page = at / kPage; page * kPage < at + count; ++page) {
    inode.pages.insert(page);
  }
}

Status SimDisk::Need(Inode& inode, uint64_t at, size_t count,
                     io::NoWait::Missed missed) {
  const auto cold = FirstCold(inode, at, count);
  if (!cold) return {};
  if (io::NoWait::Current() != nullptr) {
    missed.position = *cold;
    missed.count = count - (*cold - at);
    return io::NoWait::Miss(std::move(missed));
  }
  if (on_wait_) on_wait_(missed.path);
  Warm(inode, at, count);
  return {};
}

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

bool SimDisk::DeadLocked() const {
  return die_at_ >= 0 && operations_ >= die_at_;
}

Status SimDisk::Change(const char* what, const std::string& path) {
  if (DeadLocked()) return Broken(what, path, "the machine is off");
  ++operations_;
  if (DeadLocked()) return Broken(what, path, "the machine is off");
  return {};
}

SimDisk::Directory* SimDisk::FindDirectory(const std::string& path) {
  Directory* dir = root_.get();
  for (const std::string& part : Split(path)) {
    auto it = dir->current.find(part);
    if (it == dir->current.end() || !it->second.directory) return nullptr;
    dir = it->second.directory.get();
  }
  return dir;
}

SimDisk::Directory* SimDisk::ParentOf(const std::string& path,
                                      std::string* name) {
  std::vector<std::string> parts = Split(path);
  if (parts.empty()) return nullptr;
  *name = parts.back();
  Directory* dir = root_.get();
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    auto it = dir->current.find(parts[i]);
    if (it == dir->current.end() || !it->second.directory) return nullptr;
    dir = it->second.directory.get();
  }
  return dir;
}

Result<std::shared_ptr<io::File>> SimDisk::Open(const std::string& path,
                                                bool create) {
  std::lock_guard lock(mutex_);
  if (DeadLocked()) return Broken("open", path, "the machine is off");
  if (!MayOpen()) return OutOfHandles(path);
  std::string name;
  Directory* parent = ParentOf(path, &name);
  if (parent == nullptr) {
    return Broken("open", path, "No such file or directory");
  }
  auto it = parent->current.find(name);
  if (it == parent->current.end()) {
    if (!create) return Broken("open", path, "No such file or directory");
    if (Contains(path, fail_writes_)) {
      return Broken("open", path, "Input/output error");
    }
    TM_RETURN_IF_ERROR(Change("create", path));
    Node node;
    node.file = std::make_shared<Inode>();
    // There is nothing of it to read.
    node.file->cache = cache_;
    parent->Make({"", name, node});
    it = parent->current.find(name);
  }
  if (!it->second.file) return Broken("open", path, "Is a directory");
  Inode& inode = *it->second.file;
  if (!create && inode.cache != cache_) {
    TM_RETURN_IF_ERROR(Need(inode, 0, 0, {nullptr, 0, 0, this, path}));
  }
  return std::make_shared<SimFile>(*this, it->second.file, path);
}

Status SimDisk::CreateDirectories(const std::string& path) {
  std::lock_guard lock(mutex_);
  Directory* dir = root_.get();
  for (const std::string& part : Split(path)) {
    auto it = dir->current.find(part);
    if (it == dir->current.end()) {
      TM_RETURN_IF_ERROR(Change("create directory", path));
      Node node;
      node.directory = std::make_shared<Directory>();
      dir->Make({"", part, node});
      it = dir->current.find(part);
    }
    if (!it->second.directory) {
      return Broken("create directory", path, "Not a directory");
    }
    dir = it->second.directory.get();
  }
  return {};
}

Result<std::vector<std::string>> SimDisk::List(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (DeadLocked()) return Broken("list", path, "the machine is off");
  if (Contains(path, fail_reads_)) {
    return Broken("list", path, "Input/output error");
  }
  if (!MayOpen()) return OutOfHandles(path);
  Directory* dir = FindDirectory(path);
  if (dir == nullptr) return Broken("list", path, "No such file or directory");
  std::vector<std::string> names;
  for (const auto& [name, node] : dir->current) names.push_back(name);
  return names;
}

bool SimDisk::Exists(const std::string& path) {
  std::lock_guard lock(mutex_);
  if (path.ends_with('/')) return FindDirectory(path) != nullptr;
  std::string name;
  Directory* parent = ParentOf(path, &name);
  return parent != nullptr && parent->current.contains(name);
}

Status SimDisk::Remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  std::string name;
  Directory* parent = ParentOf(path, &name);
  if (parent == nullptr || !parent->current.contains(name)) {
    return Broken("remove", path, "No such file or directory");
  }
  const Node& node = parent->current[name];
  if (node.directory && !node.directory->current.empty()) {
    return Broken("remove", path, "Directory not empty");
  }
  TM_RETURN_IF_ERROR(ChangeNames("remove", path));
  RemoveTree(*parent, name);
  return {};
}

void SimDisk::RemoveTree(Directory& parent, const std::string& name) {
  Node node = parent.current[name];
  if (node.directory) {
    std::vector<std::string> names;
    for (const auto& [child, n] : node.directory->current) {
      names.push_back(child);
    }
    for (const auto& child : names) RemoveTree(*node.directory, child);
  } else {
    used_ -= static_cast<int64_t>(node.file->current.size());
  }
  parent.Make({name, "", {}});
}

Status SimDisk::RemoveAll(const std::string& path) {
  std::lock_guard lock(mutex_);
  std::string name;
  Directory* parent = ParentOf(path, &name);
  if (parent == nullptr || !parent->current.contains(name)) return {};
  TM_RETURN_IF_ERROR(ChangeNames("remove", path));
  RemoveTree(*parent, name);
  return {};
}

Status SimDisk::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  std::string from_name, to_name;
  Directory* source = ParentOf(from, &from_name);
  Directory* target = ParentOf(to, &to_name);
  if (source == nullptr || target == nullptr ||
      !source->current.contains(from_name)) {
    return Broken("rename", from, "No such file or directory");
  }
  TM_RETURN_IF_ERROR(ChangeNames("rename", from));
  Node node = source->current[from_name];
  if (source == target) {
    source->Make({from_name, to_name, node});
  } else {
    target->Make({"", to_name, node});
    source->Make({from_name, "", {}});
  }
  return {};
}

Status SimDisk::SyncDirectory(const std::string& path) {
  std::lock_guard lock(mutex_);
  Directory* dir = FindDirectory(path);
  if (dir == nullptr) {
    return Broken("sync directory", path, "No such file or directory");
  }
  if (!MayOpen()) return OutOfHandles(path);
  TM_RETURN_IF_ERROR(Change("sync directory", path));
  if (Contains(path, fail_syncs_)) {
    failed_to_sync_ = true;
    return Broken("sync directory", path, "Input/output error");
  }
  ++syncs_;
  for (const auto& change : dir->unsynced) {
    Directory::ApplyTo(dir->durable, change);
  }
  dir->unsynced.clear();
  return {};
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

Status SimDisk::ChangeNames(const char* what, const std::string& path) {
  if (names_left_ <= 0) {
    ++refused_names_;
    return OutOfSpace(what, path);
  }
  if (names_left_ != INT64_MAX) --names_left_;
  return Change(what, path);
}

void SimDisk::FailOpensAfter(int64_t opens) {
  std::lock_guard lock(mutex_);
  opens_left_ = opens;
}

bool SimDisk::MayOpen() {
  if (opens_left_ == 0) return false;
  if (opens_left_ != INT64_MAX) --opens_left_;
  return true;
}

Result<io::DiskSpace> SimDisk::Space(const std::string&) {
  std::lock_guard lock(mutex_);
  // Whoever takes a part of the disk in advance takes little of this.
  constexpr int64_t kLarge = int64_t{1} << 28;
  const int64_t total = capacity_ >= 0 ? capacity_ : kLarge;
  return io::DiskSpace{
      static_cast<uint64_t>(std::max<int64_t>(total - used_, 0)),
      static_cast<uint64_t>(total)};
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
