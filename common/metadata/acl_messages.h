#pragma once

#include "common/metadata/acl.h"
#include "proto/admin.pb.h"

namespace tidemark::metadata {

// Between what administrators send and what is kept. A number that is none of
// Kafka's is kUnknown.
Acl FromMessage(const admin::v1::Acl& message);
AclFilter FromMessage(const admin::v1::AclFilter& message);
void ToMessage(const Acl& acl, admin::v1::Acl* message);
void ToMessage(const AclFilter& filter, admin::v1::AclFilter* message);

}  // namespace tidemark::metadata
