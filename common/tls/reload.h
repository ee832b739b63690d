#pragma once

#include <functional>
#include <string>

#include "common/base/executor.h"
#include "common/base/result.h"

namespace tidemark::tls {

// A certificate in use, with files that may change.
struct Reloadable {
  std::string name;                      // in the log
  std::function<Result<bool>()> reload;  // as Source
  std::function<int64_t()> expires_s;    // of what is in use
};

// Says in the log when it ends within two weeks, or has ended.
void WarnOfExpiry(const std::string& name, int64_t expires_s);

// Looks at the files every few seconds for as long as `executor`, which may
// wait for a disk, runs; says in the log what has changed, and once a day what
// is about to end.
void ReloadForever(Reloadable what, Executor* executor);

}  // namespace tidemark::tls
