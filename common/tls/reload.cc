#include "common/tls/reload.h"

#include <glog/logging.h>

#include <chrono>
#include <memory>
#include <utility>

#include "common/base/clock.h"

namespace tidemark::tls {
namespace {

// How often the files are looked at.
constexpr std::chrono::seconds kPause(5);
constexpr int64_t kLooksADay = std::chrono::days(1) / kPause;
// How long before a certificate ends that is said.
constexpr std::chrono::hours kExpiryWarning(14 * 24);

void Look(const std::shared_ptr<const Reloadable>& what, Executor* executor,
          int64_t looks) {
  executor->PostAfter(kPause, [=] {
    const auto loaded = what->reload();
    if (!loaded) {
      LOG(ERROR) << "certificate not reloaded, the one before stays listener="
                 << what->name << " error=\"" << loaded.error().message << '"';
    } else if (*loaded) {
      LOG(INFO) << "certificate reloaded listener=" << what->name;
    }
    if ((loaded && *loaded) || looks % kLooksADay == 0) {
      WarnOfExpiry(what->name, what->expires_s());
    }
    Look(what, executor, looks + 1);
  });
}

}  // namespace

void WarnOfExpiry(const std::string& name, int64_t expires_s) {
  // What has no end.
  if (expires_s == INT64_MAX) return;
  const auto left =
      std::chrono::seconds(expires_s - SystemClock().WallMs() / 1000);
  if (left > kExpiryWarning) return;
  LOG(WARNING) << "certificate " << (left.count() < 0 ? "expired" : "expires")
               << " listener=" << name << " days="
               << std::chrono::duration_cast<std::chrono::days>(left).count();
}

void ReloadForever(Reloadable what, Executor* executor) {
  WarnOfExpiry(what.name, what.expires_s());
  Look(std::make_shared<const Reloadable>(std::move(what)), executor, 1);
}

}  // namespace tidemark::tls
