#include "common/io/meta_properties.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "common/io/resources.h"

namespace tidemark::io {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> StorageError(const std::string& what,
                                   const std::string& path, int error) {
  return Fail(CodeOfErrno(error),
              "cannot " + what + " " + path + ": " + std::strerror(error));
}

Status SyncPath(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return StorageError("open", path, errno);
  const int failed = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (failed) return StorageError("sync", path, failed);
  return {};
}

// A new directory is there after a power cut when its parent was synced.
Status CreateDurably(const fs::path& directory) {
  std::error_code error;
  if (directory.empty() || fs::is_directory(directory, error)) return {};
  const fs::path parent = directory.parent_path();
  TM_RETURN_IF_ERROR(CreateDurably(parent));
  fs::create_directory(directory, error);
  if (error) return StorageError("create", directory, error.value());
  const Status synced =
      SyncPath(parent.empty() ? "." : parent.string(), O_RDONLY | O_DIRECTORY);
  // The next attempt has to make it again, and sync that.
  if (!synced) fs::remove(directory, error);
  return synced;
}

constexpr const char* kFormatHint =
    "run: tidemark storage format --config <its server.properties> "
    "--cluster-id <the cluster's id>";

tl::unexpected<Error> Damaged(const std::string& directory,
                              const std::string& what) {
  return Fail(ErrorCode::kInvalidConfig,
              directory + "/" + kMetaPropertiesFile + ": " + what +
                  "; restore the file from a backup, or move the directory "
                  "away and format a new one");
}

std::map<std::string, std::string> Parse(std::istream& in) {
  std::map<std::string, std::string> values;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    const size_t equals = line.find('=');
    if (line.empty() || line[0] == '#' || equals == std::string::npos) continue;
    values[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return values;
}

}  // namespace

Result<MetaProperties> FormatDirectory(const std::string& directory,
                                       const std::string& cluster_id,
                                       NodeId node_id, Use use,
                                       Uuid directory_id,
                                       std::function<Status()> first) {
  if (cluster_id.empty() ||
      cluster_id.find_first_of("\r\n") != std::string::npos)
    return Fail(ErrorCode::kInvalidConfig,
                "the cluster id must be one line and not empty");
  if (node_id < 0)
    return Fail(ErrorCode::kInvalidConfig, "the node id must not be negative");
  TM_RETURN_IF_ERROR(CreateDurably(directory));
  std::error_code error;
  if (fs::exists(directory + "/" + kMetaPropertiesFile, error)) {
    auto known = LoadMetaProperties(directory);
    return Fail(ErrorCode::kInvalidConfig,
                directory + " is already formatted" +
                    (known ? " for node " + std::to_string(known->node_id) +
                                 " of cluster " + known->cluster_id
                           : ""));
  }
  if (use == Use::kMetadata) TM_RETURN_IF_ERROR(Mark(directory, kUnusedMark));
  if (first) TM_RETURN_IF_ERROR(first());
  MetaProperties meta{cluster_id, node_id,
                      directory_id.IsZero() ? Uuid::Random() : directory_id};
  TM_RETURN_IF_ERROR(SaveMetaProperties(directory, meta));
  return meta;
}

Status SaveMetaProperties(const std::string& directory,
                          const MetaProperties& meta) {
  std::ostringstream text;
  text << "version=1\ncluster.id=" << meta.cluster_id
       << "\nnode.id=" << meta.node_id
       << "\ndirectory.id=" << ToString(meta.directory_id) << "\n";
  return WriteFileDurably(directory, kMetaPropertiesFile, text.str());
}

Result<MetaProperties> LoadMetaProperties(const std::string& directory) {
  std::ifstream in(directory + "/" + kMetaPropertiesFile);
  if (!in) {
    const int error = errno;
    if (error != ENOENT && error != ENOTDIR)
      return StorageError("open", directory + "/" + kMetaPropertiesFile, error);
    return Fail(ErrorCode::kInvalidConfig,
                directory + " is not formatted; " + kFormatHint);
  }
  auto values = Parse(in);
  if (values["version"] != "1")
    return Damaged(directory, "version is '" + values["version"] +
                                  "', this program knows only 1");
  MetaProperties meta;
  meta.cluster_id = values["cluster.id"];
  if (meta.cluster_id.empty()) return Damaged(directory, "no cluster.id");
  const std::string& node = values["node.id"];
  const auto [end, ec] =
      std::from_chars(node.data(), node.data() + node.size(), meta.node_id);
  if (ec != std::errc() || end != node.data() + node.size() || meta.node_id < 0)
    return Damaged(directory, "no valid node.id");
  const auto id = Uuid::Parse(values["directory.id"]);
  if (!id || id->IsZero()) return Damaged(directory, "no valid directory.id");
  meta.directory_id = *id;
  return meta;
}

Result<MetaProperties> LoadMetaProperties(const std::string& directory,
                                          const std::string& cluster_id,
                                          NodeId node_id) {
  TM_ASSIGN_OR_RETURN(MetaProperties meta, LoadMetaProperties(directory));
  if (!cluster_id.empty() && meta.cluster_id != cluster_id)
    return Fail(ErrorCode::kInvalidConfig,
                directory + " belongs to cluster " + meta.cluster_id +
                    ", not to " + cluster_id +
                    "; check the configured directory");
  if (meta.node_id != node_id)
    return Fail(ErrorCode::kInvalidConfig,
                directory + " belongs to node " + std::to_string(meta.node_id) +
                    ", not to node " + std::to_string(node_id) +
                    "; check node.id and the configured directory");
  return meta;
}

Status WriteFileDurably(const std::string& directory, const std::string& name,
                        const std::string& text, Readers readers) {
  const std::string path = directory + "/" + name;
  const std::string temporary = path + ".tmp";
  {
    // Nobody else has it open when there is something to read.
    ::unlink(temporary.c_str());
    const mode_t mode = readers == Readers::kOwner ? 0600 : 0644;
    const int made = ::open(temporary.c_str(),
                            O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (made < 0) return StorageError("create", temporary, errno);
    ::close(made);
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out) return StorageError("write", temporary, errno);
  }
  TM_RETURN_IF_ERROR(SyncPath(temporary, O_RDWR));
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return StorageError("rename", temporary, errno);
  return SyncPath(directory, O_RDONLY | O_DIRECTORY);
}

bool IsMarked(const std::string& directory, const std::string& mark) {
  std::error_code error;
  return fs::exists(directory + "/" + mark, error);
}

Status Mark(const std::string& directory, const std::string& mark) {
  const std::string path = directory + "/" + mark;
  if (!std::ofstream(path)) return StorageError("write", path, errno);
  TM_RETURN_IF_ERROR(SyncPath(path, O_RDWR));
  return SyncPath(directory, O_RDONLY | O_DIRECTORY);
}

Status Unmark(const std::string& directory, const std::string& mark) {
  const std::string path = directory + "/" + mark;
  TM_RETURN_IF_ERROR(SyncPath(directory, O_RDONLY | O_DIRECTORY));
  if (::unlink(path.c_str()) != 0) return StorageError("remove", path, errno);
  return SyncPath(directory, O_RDONLY | O_DIRECTORY);
}

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::Acquire(
    const std::string& directory) {
  const std::string path = directory + "/.lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return StorageError("open", path, errno);
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock(directory, fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return StorageError("lock", path, errno);
    return Fail(ErrorCode::kInvalidConfig,
                "another process is using the directory " + directory);
  }
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) {
    return StorageError("find", directory, errno);
  }
  lock->device_ = info.st_dev;
  lock->inode_ = info.st_ino;
  return lock;
}

Status DirectoryLock::Check() const {
  struct stat info {};
  const std::string known = directory_ + "/" + kMetaPropertiesFile;
  const bool there = ::stat(directory_.c_str(), &info) == 0 &&
                     info.st_dev == device_ && info.st_ino == inode_ &&
                     ::access(known.c_str(), F_OK) == 0;
  if (there) return {};
  return Fail(ErrorCode::kKafkaStorageError,
              directory_ +
                  " is not what it was: its disk was unmounted, or it was "
                  "removed, emptied or replaced");
}

DirectoryLock::~DirectoryLock() { ::close(fd_); }

}  // namespace tidemark::io
