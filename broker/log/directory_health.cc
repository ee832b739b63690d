#include "broker/log/directory_health.h"

#include <glog/logging.h>

namespace tidemark::log {

void DirectoryHealth::TakeOffline(const Error& error) {
  if (offline_.exchange(true, std::memory_order_acq_rel)) return;
  LOG(ERROR) << "log directory offline dir=" << dir_
             << " error=" << error.message;
  if (on_offline_) on_offline_(error);
}

}  // namespace tidemark::log
