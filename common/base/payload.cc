#include "common/base/payload.h"

#include <string>

namespace tidemark {

Result<SharedBytes> Payload::Load() const {
  if (source_ == nullptr) return bytes_;
  std::string all(source_->left(), '\0');
  size_t done = 0;
  while (source_->left() > 0) {
    TM_ASSIGN_OR_RETURN(
        const auto count,
        source_->Read(all.data() + done, all.size() - done, true));
    done += count.value_or(0);
  }
  return SharedBytes(std::move(all));
}

}  // namespace tidemark
