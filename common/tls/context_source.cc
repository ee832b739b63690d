#include "common/tls/context_source.h"

#include <sys/stat.h>

#include <utility>

namespace tidemark::tls {

Result<std::shared_ptr<ContextSource>> ContextSource::Open(
    ServerSettings settings) {
  std::shared_ptr<ContextSource> source(new ContextSource(std::move(settings)));
  // Before they are read: what changes meanwhile is read again.
  source->seen_ = source->Look();
  TM_ASSIGN_OR_RETURN(source->context_, ServerContext::Make(source->settings_));
  return source;
}

std::shared_ptr<const ServerContext> ContextSource::Get() const {
  std::lock_guard lock(mutex_);
  return context_;
}

std::vector<ContextSource::FileState> ContextSource::Look() const {
  std::vector<FileState> found;
  for (const std::string& path :
       {settings_.keystore.location, settings_.truststore.location}) {
    struct stat at {};
    if (path.empty() || ::stat(path.c_str(), &at) != 0) at = {};
    found.push_back({static_cast<int64_t>(at.st_ino), at.st_size,
                     at.st_mtim.tv_sec * 1'000'000'000 + at.st_mtim.tv_nsec});
  }
  return found;
}

Result<bool> ContextSource::Reload() {
  std::lock_guard reloading(reloading_);
  std::vector<FileState> now = Look();
  if (now == seen_) return false;
  seen_ = std::move(now);
  TM_ASSIGN_OR_RETURN(auto context, ServerContext::Make(settings_));
  std::lock_guard lock(mutex_);
  context_ = std::move(context);
  return true;
}

}  // namespace tidemark::tls
