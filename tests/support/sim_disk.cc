#include "tests/support/sim_disk.h"

#include <algorithm>
#include <optional>
#include <set>

#include "tests/support/sim_disk_state.h"

namespace tidemark::sim {
namespace {

constexpr uint64_t kPage = 4096;

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

Status SimDisk::ChangeNames(const char* what, const std::string& path) {
  if (names_left_ <= 0) {
    ++refused_names_;
    return OutOfSpace(what, path);
  }
  if (names_left_ != INT64_MAX) --names_left_;
  return Change(what, path);
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

}  // namespace tidemark::sim
