#pragma once

#include <string>

#include "common/base/result.h"

namespace tidemark::cli {

// Where `tidemark dev` keeps its data: a folder of the user's own, or a
// temporary one that is gone with this object. In memory (/dev/shm), if there
// is plenty and TMPDIR does not say otherwise: what is not to last need not
// wait for a disk.
//
// One whose process was killed stays; the next one that is made removes it. It
// is known by the lock that this object holds.
class DevDirectory {
 public:
  // An empty `wanted`: a temporary one.
  static Result<DevDirectory> Make(const std::string& wanted);

  DevDirectory(DevDirectory&& other) noexcept;
  DevDirectory& operator=(DevDirectory&&) = delete;
  ~DevDirectory();

  const std::string& path() const { return path_; }
  bool temporary() const { return temporary_; }

 private:
  DevDirectory(std::string path, bool temporary, int lock)
      : path_(std::move(path)), temporary_(temporary), lock_(lock) {}

  std::string path_;
  bool temporary_;
  int lock_;  // -1: none
};

}  // namespace tidemark::cli
