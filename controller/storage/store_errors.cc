#include "controller/storage/store_errors.h"

namespace tidemark::storage {

Status StoreErrors::Check(const rocksdb::Status& status,
                          const char* what) const {
  if (status.ok()) return {};
  if (status.IsCorruption()) return Damaged(status.ToString());
  return Fail(
      ErrorCode::kKafkaStorageError,
      std::string("cannot ") + what + " " + path_ + ": " + status.ToString());
}

tl::unexpected<Error> StoreErrors::Damaged(const std::string& what) const {
  return Fail(ErrorCode::kKafkaStorageError,
              path_ + " is damaged: " + what + "; " + kReplaceHint);
}

}  // namespace tidemark::storage
