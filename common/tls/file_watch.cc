#include "common/tls/file_watch.h"

#include <sys/stat.h>

#include <utility>

namespace tidemark::tls {

FileWatch::FileWatch(std::vector<std::string> paths)
    : paths_(std::move(paths)), seen_(Look()) {}

std::vector<FileWatch::State> FileWatch::Look() const {
  std::vector<State> found;
  for (const std::string& path : paths_) {
    struct stat at {};
    if (path.empty() || ::stat(path.c_str(), &at) != 0) at = {};
    const auto nanos = [](const timespec& time) {
      return time.tv_sec * 1'000'000'000 + time.tv_nsec;
    };
    found.push_back({static_cast<int64_t>(at.st_ino), at.st_size,
                     nanos(at.st_mtim), nanos(at.st_ctim), at.st_dev});
  }
  return found;
}

bool FileWatch::Changed() {
  std::vector<State> now = Look();
  if (now == seen_) return false;
  seen_ = std::move(now);
  return true;
}

}  // namespace tidemark::tls
