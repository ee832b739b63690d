#include "controller/quorum/stop.h"

#include <glog/logging.h>
#include <unistd.h>

namespace tidemark::quorum {

void StopForGood(const std::string& why) {
  constexpr int kExitConfig = 78;  // EX_CONFIG; systemd leaves it at that
  LOG(ERROR) << "controller: stopping, " << why;
  google::FlushLogFiles(google::GLOG_INFO);
  _exit(kExitConfig);
}

}  // namespace tidemark::quorum
