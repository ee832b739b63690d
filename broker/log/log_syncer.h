#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "broker/log/directory_health.h"
#include "broker/log/log.h"
#include "common/io/file.h"

namespace tidemark::log {

// A directory that is gone counts as synced. Waits for a descriptor.
Status SyncDirectoryIfThere(io::FileSystem& fs, const std::string& path);

// Carries out `work` on the calling thread. A directory that is gone (its
// partition was deleted meanwhile) counts as synced.
Status PerformSync(io::FileSystem& fs, const SyncWork& work);

// The group-commit seam: makes appended batches durable away from the shards.
class LogSyncer {
 public:
  using Done = std::function<void(Status)>;

  virtual ~LogSyncer() = default;

  // Any thread. `done` is called once, on a sync thread: it posts back to the
  // shard and does nothing slow. kKafkaStorageError: the directory is broken.
  virtual void Enqueue(SyncWork work, Done done) = 0;
};

// Syncs the files themselves, with a few threads for one log directory. While
// a file is being synced everything that arrives for it waits and shares its
// next sync; no file is synced by two threads at once. After the first failure
// nothing is synced any more and everything fails (B-32).
class ThreadedLogSyncer final : public LogSyncer {
 public:
  ThreadedLogSyncer(io::FileSystem& fs, std::shared_ptr<DirectoryHealth> health,
                    int threads = 4);
  // Finishes what is queued.
  ~ThreadedLogSyncer() override;

  void Enqueue(SyncWork work, Done done) override;

 private:
  struct Request {
    size_t open = 0;  // parts that are not synced yet
    Status result;
    Done done;
  };
  // A file or a directory.
  struct Part {
    std::shared_ptr<io::File> file;
    std::string directory;
    bool running = false;
    std::vector<std::shared_ptr<Request>> waiting;
  };

  void Run();
  // Whether there is work for one more thread.
  bool Add(const std::string& key, Part part,
           const std::shared_ptr<Request>& request);
  Status Sync(const Part& part);

  io::FileSystem& fs_;
  const std::shared_ptr<DirectoryHealth> health_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::unordered_map<std::string, Part> parts_;  // running or waited for
  std::deque<std::string> ready_;                // waited for, not running
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tidemark::log
