#include "common/io/resources.h"

#include <glog/logging.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>

namespace tidemark::io {

ErrorCode CodeOfErrno(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kOutOfSpace;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return ErrorCode::kOutOfHandles;
    default:
      return ErrorCode::kKafkaStorageError;
  }
}

size_t DescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return static_cast<size_t>(std::min<rlim_t>(limit.rlim_cur, INT32_MAX));
}

size_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      PLOG(WARNING) << "cannot raise the limit of open files";
    }
  }
  return DescriptorLimit();
}

uint64_t MemoryLimit() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page = sysconf(_SC_PAGESIZE);
  uint64_t limit = pages > 0 && page > 0 ? static_cast<uint64_t>(pages) *
                                               static_cast<uint64_t>(page)
                                         : uint64_t{1} << 30;
  // Control groups of version 2 and 1; "max" is no number.
  for (const char* path : {"/sys/fs/cgroup/memory.max",
                           "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    uint64_t bytes = 0;
    if (std::ifstream(path) >> bytes && bytes > 0) {
      limit = std::min(limit, bytes);
    }
  }
  return limit;
}

size_t MemoryShare(int64_t setting) {
  return static_cast<size_t>(setting >= 0 ? static_cast<uint64_t>(setting)
                                          : MemoryLimit() / 8);
}

std::string BootId() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id;
}

}  // namespace tidemark::io
