#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/tls/context.h"

namespace tidemark::tls {

// The context of a listener, made anew when one of its files has changed: new
// connections get the new certificate, older ones keep theirs. Files that
// cannot be used leave the one before in force. Any thread.
class ContextSource {
 public:
  // As ServerContext::Make.
  static Result<std::shared_ptr<ContextSource>> Open(ServerSettings settings);

  std::shared_ptr<const ServerContext> Get() const;
  // Looks at the files; waits for the disk. True: there is a new context.
  // Error: why the changed files are of no use, once for a change.
  Result<bool> Reload();

 private:
  struct FileState {
    int64_t inode = 0;
    int64_t size = 0;
    int64_t modified_ns = 0;
    bool operator==(const FileState&) const = default;
  };
  explicit ContextSource(ServerSettings settings)
      : settings_(std::move(settings)) {}
  std::vector<FileState> Look() const;

  const ServerSettings settings_;
  std::mutex reloading_;
  std::vector<FileState> seen_;
  mutable std::mutex mutex_;
  std::shared_ptr<const ServerContext> context_;
};

}  // namespace tidemark::tls
