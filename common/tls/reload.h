#pragma once

#include <functional>
#include <memory>
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

// The same of a Source; nullptr: nothing.
template <class Source>
void ReloadForever(const std::string& name, std::shared_ptr<Source> source,
                   Executor* executor) {
  if (source == nullptr) return;
  ReloadForever({name, [source] { return source->Reload(); },
                 [source] { return source->Get()->expires_s(); }},
                executor);
}

}  // namespace tidemark::tls
