#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/uuid.h"

namespace tidemark::io {

// Who a data directory belongs to: Kafka's `meta.properties`, version 1.
//
//   version=1
//   cluster.id=MkU3OEVBNTcwNTJENDM2Qg
//   node.id=1
//   directory.id=2N7Jx0bWQYuM7ahkY5hVxw
//
// The directory id is random: a wiped and newly formatted disk is another
// directory, even under the same node id.
struct MetaProperties {
  std::string cluster_id;
  NodeId node_id = kNoNode;
  Uuid directory_id;

  bool operator==(const MetaProperties&) const = default;
};

inline constexpr char kMetaPropertiesFile[] = "meta.properties";

// Marks a directory whose controller has not been started yet: the one time
// that its database may be made. What has voted and is lost is never replaced
// by a blank one under the same identity.
inline constexpr char kUnusedMark[] = "raft.unused";

// What a directory is for.
enum class Use { kLogs, kMetadata };

// Makes `directory` (created if missing) belong to (cluster, node), durably;
// one for metadata gets the kUnusedMark. Its id is `directory_id`, or a random
// one; `first` is done before it counts as formatted. kInvalidConfig if it
// belongs to anyone already; kKafkaStorageError if it cannot be written.
// Blocking.
Result<MetaProperties> FormatDirectory(const std::string& directory,
                                       const std::string& cluster_id,
                                       NodeId node_id, Use use,
                                       Uuid directory_id = {},
                                       std::function<Status()> first = {});

// Makes a formatted directory say `meta`, durably. Blocking.
Status SaveMetaProperties(const std::string& directory,
                          const MetaProperties& meta);

// What the directory says. kInvalidConfig with what to do when it is not
// formatted, or its file is damaged or of a version this program is too old
// for; kKafkaStorageError, or what has run out, when it cannot be read.
// Blocking.
Result<MetaProperties> LoadMetaProperties(const std::string& directory);

// The same, and refuses (kInvalidConfig) a directory of another node, or, if
// `cluster_id` is not empty, of another cluster.
Result<MetaProperties> LoadMetaProperties(const std::string& directory,
                                          const std::string& cluster_id,
                                          NodeId node_id);

enum class Readers : uint8_t { kAll, kOwner };
// The file `name` of `directory` with all of `text`, or as it was before.
// Blocking.
Status WriteFileDurably(const std::string& directory, const std::string& name,
                        const std::string& text,
                        Readers readers = Readers::kAll);

// An empty file that says something about the directory. `Mark` makes it
// durable; `Unmark` every other name in the directory, and then its end.
// Blocking.
bool IsMarked(const std::string& directory, const std::string& mark);
Status Mark(const std::string& directory, const std::string& mark);
Status Unmark(const std::string& directory, const std::string& mark);

// Keeps other processes off a directory while it lives (flock on `.lock`).
class DirectoryLock {
 public:
  // kInvalidConfig naming the directory when another process has it; else as
  // LoadMetaProperties.
  static Result<std::unique_ptr<DirectoryLock>> Acquire(
      const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

  // Whether what the directory is called is still what was locked. Not where
  // its disk was unmounted, or it was removed, emptied or replaced:
  // kKafkaStorageError. Any thread.
  Status Check() const;
  const std::string& directory() const { return directory_; }

 private:
  DirectoryLock(std::string directory, int fd)
      : directory_(std::move(directory)), fd_(fd) {}

  const std::string directory_;
  const int fd_;
  uint64_t device_ = 0, inode_ = 0;  // of the directory
};

}  // namespace tidemark::io
