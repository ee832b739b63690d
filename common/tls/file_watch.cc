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
    found.push_back({static_cast<int64_t>(at.st_ino), at.st_size,
                     at.st_mtim.tv_sec * 1'000'000'000 + at.st_mtim.tv_nsec});
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
