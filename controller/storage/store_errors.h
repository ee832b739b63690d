#pragma once

#include <rocksdb/status.h>

#include <string>

#include "common/base/result.h"

namespace tidemark::storage {

// How what goes wrong with the database under `path` is told.
class StoreErrors {
 public:
  explicit StoreErrors(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  // "cannot `what` PATH: ..."
  Status Check(const rocksdb::Status& status, const char* what) const;
  // Says what to do, too.
  tl::unexpected<Error> Damaged(const std::string& what) const;

 private:
  const std::string path_;
};

inline constexpr char kReplaceHint[] =
    "never let this controller start without it: restore the whole directory, "
    "or replace the controller by one with another node id";

}  // namespace tidemark::storage
