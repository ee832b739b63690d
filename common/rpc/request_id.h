#pragma once

#include "common/base/uuid.h"

namespace tidemark::rpc {

// A request that changes something carries an id, under which the controllers
// remember its answer for a while: whoever has not got it asks again with the
// same id, and does the same thing once. No effect on requests without one.
template <class Request>
void SetRequestId(Request* request) {
  if constexpr (requires { request->request_id(); }) {
    if (request->request_id().empty())
      request->set_request_id(Uuid::Random().ToBytes());
  }
}

}  // namespace tidemark::rpc
