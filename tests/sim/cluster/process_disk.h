#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/threads/scheduler.h"
#include "tests/support/sim_disk.h"

namespace tidemark::sim {

// A machine's disk as one process sees it: operations take time, during which
// other threads run, and all of them fail once the process is dead.
class ProcessDisk final : public io::FileSystem {
 public:
  // All outlive it.
  ProcessDisk(Scheduler& scheduler, SimDisk& disk, const Process& process)
      : scheduler_(scheduler), disk_(disk), process_(process) {}

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
  bool HasFailedToSync() const override { return disk_.HasFailedToSync(); }

 private:
  class OpenFile;
  enum class Kind { kMemory, kDisk, kNames, kSync };

  // Takes the operation's time; whether the process is still there then.
  Status Take(Kind kind);
  // Whether what somebody must not wait for is not in memory.
  bool IsCold();

  Scheduler& scheduler_;
  SimDisk& disk_;
  const Process& process_;
};

}  // namespace tidemark::sim
