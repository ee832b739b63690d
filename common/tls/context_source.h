#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "common/tls/context.h"
#include "common/tls/file_watch.h"

namespace tidemark::tls {

// What is made of settings (Context::Make), made anew when one of their files
// has changed: new connections get the new certificate, older ones keep
// theirs. Files that cannot be used leave the one before in force. Any thread.
template <class Context>
class Source {
 public:
  // As Context::Make.
  static Result<std::shared_ptr<Source>> Open(Settings settings) {
    std::shared_ptr<Source> source(new Source(std::move(settings)));
    TM_ASSIGN_OR_RETURN(source->context_, Context::Make(source->settings_));
    return source;
  }

  std::shared_ptr<const Context> Get() const {
    std::lock_guard lock(mutex_);
    return context_;
  }
  // Looks at the files; waits for the disk. True: there is a new context.
  // Error: why the changed files are of no use. They are tried again with
  // every call, whether or not they change; the same error is told once.
  Result<bool> Reload() {
    std::lock_guard reloading(reloading_);
    if (!files_.Changed() && failure_.empty()) return false;
    auto context = Context::Make(settings_);
    const std::string failure = context ? "" : context.error().message;
    if (std::exchange(failure_, failure) == failure && !context) return false;
    if (!context) return Fail(context.error());
    std::lock_guard lock(mutex_);
    context_ = std::move(*context);
    return true;
  }

 private:
  // Looks at the files before they are read: what changes meanwhile is read
  // again.
  explicit Source(Settings settings)
      : settings_(std::move(settings)),
        files_({settings_.keystore.location, settings_.truststore.location}) {}

  const Settings settings_;
  std::mutex reloading_;
  FileWatch files_;
  std::string failure_;  // of the newest files
  mutable std::mutex mutex_;
  std::shared_ptr<const Context> context_;
};

using ContextSource = Source<ServerContext>;
using ClientSource = Source<ClientContext>;

}  // namespace tidemark::tls
