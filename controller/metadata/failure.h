#pragma once

#include <string>

#include "common/base/result.h"
#include "proto/controller.pb.h"

namespace tidemark::controller {

// Why a broker's request was refused, in its answer.
inline void SetFailure(ErrorCode code, const std::string& message,
                       v1::Failure* out) {
  out->set_code(static_cast<int32_t>(code));
  out->set_message(message);
}

}  // namespace tidemark::controller
