// tidemark-forgetfs MOUNTPOINT: a file system (FUSE, in memory) that forgets
// at a power cut what was not synced, and whose folders can fail. Runs in the
// foreground until unmounted.
//
//   echo "cut NAME SEED KEEP" > MOUNTPOINT/.control
//
// cuts the power of the folder NAME in the root ("*": of everything): what was
// not synced is gone, except that each of its sectors and names stays with
// probability KEEP (0 to 1), drawn from SEED. Kill the processes first.
//
//   echo "fail NAME writes" > MOUNTPOINT/.control
//
// makes the folder NAME of the root answer EIO to writes, syncs and whatever
// changes names ("all": to everything), until "mend NAME".
//
//   echo "hang NAME" > MOUNTPOINT/.control
//
// makes syncs in that folder wait for "mend NAME", and fails nothing. Who waits
// cannot be killed, as with a disk that does not answer.
#define FUSE_USE_VERSION 31
#include <fcntl.h>
#include <fuse3/fuse.h>

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <mutex>
#include <sstream>
#include <string_view>

#include "tests/forgetfs/volatile_tree.h"

namespace tidemark::forgetfs {
namespace {

constexpr char kControl[] = "/.control";

// Operations run one at a time; only a sync that hangs lets others in.
std::mutex mutex;
std::condition_variable mended;

NodePtr root;
NodePtr control;  // in no directory
uint64_t next_id = 1;

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

// In the root every node is a disk of its own, below it is its parent's.
NodePtr NewNode(bool directory, mode_t mode, const NodePtr& parent = nullptr) {
  auto node = std::make_shared<Node>();
  if (parent != nullptr && parent != root) node->disk = parent->disk;
  node->directory = directory;
  node->mode = mode;
  node->id = ++next_id;
  node->modified_ns = NowNs();
  return node;
}

NodePtr Find(std::string_view path) {
  if (path == kControl) return control;
  NodePtr at = root;
  while (!path.empty() && at != nullptr) {
    path.remove_prefix(1);  // the slash
    const size_t end = std::min(path.find('/'), path.size());
    if (end > 0) {
      const auto it = at->entries.find(std::string(path.substr(0, end)));
      at = it == at->entries.end() ? nullptr : it->second;
    }
    path.remove_prefix(end);
  }
  return at;
}

struct Parent {
  NodePtr directory;
  std::string name;
};

Parent ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return {Find(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

NodePtr Handle(const char* path, const fuse_file_info* info) {
  if (info != nullptr && info->fh != 0) {
    return *reinterpret_cast<NodePtr*>(info->fh);
  }
  return path == nullptr ? nullptr : Find(path);
}

// 0 where the node is there and its disk lets it be read, or changed.
int Readable(const NodePtr& node) {
  if (node == nullptr) return -ENOENT;
  return node->disk->reads_fail ? -EIO : 0;
}

int Writable(const NodePtr& node) {
  if (node == nullptr) return -ENOENT;
  return node->disk->writes_fail ? -EIO : 0;
}

int CutPower(Node& node, std::istringstream& words) {
  uint64_t seed = 0;
  Cut cut;
  if (!(words >> seed >> cut.keep)) return -EINVAL;
  cut.random.seed(seed);
  PowerCut(node, cut);
  return 0;
}

int Fail(const Node& node, std::istringstream& words) {
  std::string what;
  if (!(words >> what) || (what != "writes" && what != "all")) return -EINVAL;
  node.disk->writes_fail = true;
  node.disk->reads_fail = what == "all";
  return 0;
}

int Command(const std::string& line) {
  std::istringstream words(line);
  std::string verb, name;
  if (!(words >> verb >> name)) return -EINVAL;
  const NodePtr node = name == "*" && verb == "cut" ? root : Find("/" + name);
  if (node == nullptr) return -ENOENT;
  if (verb == "cut") return CutPower(*node, words);
  if (verb == "fail") return Fail(*node, words);
  if (verb == "hang") return node->disk->syncs_hang = true, 0;
  if (verb != "mend") return -EINVAL;
  *node->disk = {};
  mended.notify_all();
  return 0;
}

int GetAttr(const char* path, struct stat* to, fuse_file_info* info) {
  std::memset(to, 0, sizeof *to);
  const NodePtr node = Handle(path, info);
  if (const int failed = Readable(node); failed != 0) return failed;
  to->st_mode = (node->directory ? S_IFDIR : S_IFREG) | (node->mode & 07777);
  to->st_nlink = node->directory ? 2 : 1;
  to->st_size = static_cast<off_t>(node->bytes.size());
  to->st_blocks = to->st_size / 512 + 1;
  to->st_mtim = {node->modified_ns / 1000000000,
                 node->modified_ns % 1000000000};
  to->st_ino = node->id;
  return 0;
}

int Open(const char* path, fuse_file_info* info) {
  info->direct_io = 1;
  const NodePtr node = Find(path);
  if (const int failed = Readable(node); failed != 0) return failed;
  if (info->flags & O_TRUNC) {
    const int failed = Writable(node);
    if (failed != 0) return failed;
    node->Resize(0);
  }
  info->fh = reinterpret_cast<uint64_t>(new NodePtr(node));
  return 0;
}

int OpenDir(const char* path, fuse_file_info* info) {
  const NodePtr node = Find(path);
  if (const int failed = Readable(node); failed != 0) return failed;
  info->fh = reinterpret_cast<uint64_t>(new NodePtr(node));
  return 0;
}

int Create(const char* path, mode_t mode, fuse_file_info* info) {
  const Parent parent = ParentOf(path);
  const int failed = Writable(parent.directory);
  if (failed != 0) return failed;
  auto& slot = parent.directory->entries[parent.name];
  if (slot == nullptr) slot = NewNode(false, mode, parent.directory);
  info->direct_io = 1;
  info->fh = reinterpret_cast<uint64_t>(new NodePtr(slot));
  return 0;
}

int Release(const char*, fuse_file_info* info) {
  delete reinterpret_cast<NodePtr*>(info->fh);
  return 0;
}

int Read(const char* path, char* to, size_t count, off_t at,
         fuse_file_info* info) {
  const NodePtr node = Handle(path, info);
  if (const int failed = Readable(node); failed != 0) return failed;
  const auto from = static_cast<size_t>(at);
  if (from >= node->bytes.size()) return 0;
  count = std::min(count, node->bytes.size() - from);
  std::memcpy(to, node->bytes.data() + from, count);
  return static_cast<int>(count);
}

int Write(const char* path, const char* from, size_t count, off_t at,
          fuse_file_info* info) {
  const NodePtr node = Handle(path, info);
  const int failed =
      node == control ? Command(std::string(from, count)) : Writable(node);
  if (failed != 0) return failed;
  if (node == control) return static_cast<int>(count);
  node->Write(static_cast<size_t>(at), from, count);
  node->modified_ns = NowNs();
  return static_cast<int>(count);
}

int Truncate(const char* path, off_t size, fuse_file_info* info) {
  const NodePtr node = Handle(path, info);
  if (const int failed = Writable(node); failed != 0) return failed;
  node->Resize(static_cast<size_t>(size));
  return 0;
}

int Fallocate(const char* path, int mode, off_t at, off_t count,
              fuse_file_info* info) {
  const NodePtr node = Handle(path, info);
  if (const int failed = Writable(node); failed != 0) return failed;
  if (mode == FALLOC_FL_KEEP_SIZE) return 0;
  if (mode != 0) return -EOPNOTSUPP;
  const auto end = static_cast<size_t>(at + count);
  if (node->bytes.size() < end) node->Resize(end);
  return 0;
}

int Fsync(const char* path, int, fuse_file_info* info) {
  std::unique_lock lock(mutex);
  const NodePtr node = Handle(path, info);
  if (node != nullptr)
    mended.wait(lock, [&node] { return !node->disk->syncs_hang; });
  if (const int failed = Writable(node); failed != 0) return failed;
  node->Sync();
  return 0;
}

int ReadDir(const char* path, void* to, fuse_fill_dir_t fill, off_t,
            fuse_file_info* info, fuse_readdir_flags) {
  const NodePtr node = Handle(path, info);
  if (const int failed = Readable(node); failed != 0) return failed;
  fill(to, ".", nullptr, 0, fuse_fill_dir_flags{});
  fill(to, "..", nullptr, 0, fuse_fill_dir_flags{});
  for (const auto& [name, child] : node->entries) {
    fill(to, name.c_str(), nullptr, 0, fuse_fill_dir_flags{});
  }
  return 0;
}

int MakeDir(const char* path, mode_t mode) {
  const Parent parent = ParentOf(path);
  const int failed = Writable(parent.directory);
  if (failed != 0) return failed;
  auto& slot = parent.directory->entries[parent.name];
  if (slot != nullptr) return -EEXIST;
  slot = NewNode(true, mode, parent.directory);
  return 0;
}

int Unlink(const char* path) {
  const Parent parent = ParentOf(path);
  const int failed = Writable(parent.directory);
  if (failed != 0) return failed;
  return parent.directory->entries.erase(parent.name) > 0 ? 0 : -ENOENT;
}

int RemoveDir(const char* path) {
  const NodePtr node = Find(path);
  if (const int failed = Readable(node); failed != 0) return failed;
  if (!node->entries.empty()) return -ENOTEMPTY;
  return Unlink(path);
}

int Rename(const char* from, const char* to, unsigned flags) {
  if (flags != 0) return -EINVAL;
  const NodePtr node = Find(from);
  const Parent parent = ParentOf(to);
  for (const NodePtr& changed : {node, parent.directory}) {
    if (const int failed = Writable(changed); failed != 0) return failed;
  }
  const auto there = parent.directory->entries.find(parent.name);
  if (there != parent.directory->entries.end() && there->second->directory &&
      !there->second->entries.empty()) {
    return -ENOTEMPTY;
  }
  (void)Unlink(from);
  parent.directory->entries[parent.name] = node;
  return 0;
}

int ChangeMode(const char* path, mode_t mode, fuse_file_info* info) {
  const NodePtr node = Handle(path, info);
  if (const int failed = Writable(node); failed != 0) return failed;
  node->mode = mode;
  return 0;
}

int ChangeOwner(const char*, uid_t, gid_t, fuse_file_info*) { return 0; }
int SetTimes(const char*, const timespec[2], fuse_file_info*) { return 0; }

int StatFs(const char*, struct statvfs* to) {
  std::memset(to, 0, sizeof *to);
  to->f_bsize = to->f_frsize = 4096;
  to->f_blocks = to->f_bfree = to->f_bavail = 1 << 20;
  to->f_files = to->f_ffree = to->f_favail = 1 << 20;
  to->f_namemax = 255;
  return 0;
}

void* Init(fuse_conn_info*, fuse_config* config) {
  config->hard_remove = 1;
  config->nullpath_ok = 1;
  config->use_ino = 1;
  // The truth changes behind the kernel's back.
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  return nullptr;
}

template <auto kOperation>
struct Alone;

template <typename... Args, int (*kOperation)(Args...)>
struct Alone<kOperation> {
  static int Run(Args... args) {
    std::lock_guard lock(mutex);
    return kOperation(args...);
  }
};

fuse_operations Operations() {
  fuse_operations all{};
  all.init = Init;
  all.getattr = Alone<GetAttr>::Run;
  all.open = Alone<Open>::Run;
  all.create = Alone<Create>::Run;
  all.release = Alone<Release>::Run;
  all.read = Alone<Read>::Run;
  all.write = Alone<Write>::Run;
  all.truncate = Alone<Truncate>::Run;
  all.fallocate = Alone<Fallocate>::Run;
  all.fsync = Fsync;
  all.fsyncdir = Fsync;
  all.opendir = Alone<OpenDir>::Run;
  all.releasedir = Alone<Release>::Run;
  all.readdir = Alone<ReadDir>::Run;
  all.mkdir = Alone<MakeDir>::Run;
  all.unlink = Alone<Unlink>::Run;
  all.rmdir = Alone<RemoveDir>::Run;
  all.rename = Alone<Rename>::Run;
  all.chmod = Alone<ChangeMode>::Run;
  all.chown = Alone<ChangeOwner>::Run;
  all.utimens = Alone<SetTimes>::Run;
  all.statfs = Alone<StatFs>::Run;
  return all;
}

}  // namespace
}  // namespace tidemark::forgetfs

int main(int argc, char** argv) {
  if (argc != 2 || argv[1][0] == '-') {
    std::fprintf(stderr, "usage: tidemark-forgetfs MOUNTPOINT\n");
    return 2;
  }
  tidemark::forgetfs::root = tidemark::forgetfs::NewNode(true, 0755);
  tidemark::forgetfs::control = tidemark::forgetfs::NewNode(false, 0600);
  const auto operations = tidemark::forgetfs::Operations();
  char foreground[] = "-f";
  char* args[] = {argv[0], foreground, argv[1], nullptr};
  return fuse_main(3, args, &operations, nullptr);
}
