#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace tidemark::io {

// What the password of a user of a new cluster is checked against (RFC 5802).
struct InitialCredential {
  std::string user;
  std::string mechanism;  // SCRAM-SHA-256
  int32_t iterations = 0;
  std::string salt;
  std::string stored_key;
  std::string server_key;

  bool operator==(const InitialCredential&) const = default;
};

// With whom a new cluster begins: kept in a controller's directory from its
// formatting on, and heeded with the levels (initial_features.h), so that
// somebody can log in who makes the others. A line each, readable by its owner
// only; user, salt and keys in hexadecimal:
//
//   SCRAM-SHA-256 4096 616c696365 736f6d652073616c74 8a... 02...
//
// Load: empty when there are none. Blocking; kKafkaStorageError, kInvalidConfig
// for a damaged file.
Status SaveInitialCredentials(const std::string& directory,
                              const std::vector<InitialCredential>& all);
Result<std::vector<InitialCredential>> LoadInitialCredentials(
    const std::string& directory);

}  // namespace tidemark::io
