#pragma once

#include <cstdint>

#include "common/metadata/acl.h"

namespace tidemark::server {

using metadata::AclOperation;
using metadata::AclResource;

// Which right an API asks for, and which quota its time or bytes count against,
// by Kafka's names (KIP-11, KIP-13, KIP-124, KIP-599). Stated with every row of
// the handler table, so that no API can be forgotten by whoever checks rights
// or throttles.
enum class QuotaClass : uint8_t {
  kExempt,  // asked before anything is known of the client
  kRequest,
  kProduce,
  kFetch,
  kControllerMutation,
};

// kCluster: of the whole request, which is refused without, before its handler
// has seen it. Others: of each resource that the request names, which the API's
// guard asks for (handlers/guards.h), and where there are several kinds, the
// first that Kafka asks for. kAny: everybody may ask, and the answer says less
// to who may see less.
struct Access {
  AclResource resource = AclResource::kAny;
  AclOperation operation = AclOperation::kAny;
  QuotaClass quota = QuotaClass::kRequest;
};

}  // namespace tidemark::server
