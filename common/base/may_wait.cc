#include "common/base/may_wait.h"

#include <glog/logging.h>

namespace tidemark {

#ifdef TIDEMARK_DEBUG
void AboutToWait(const char* what) {
  CHECK(!must_not_wait) << "a thread that serves clients would wait: " << what;
}
#else
void AboutToWait(const char*) {}
#endif

}  // namespace tidemark
