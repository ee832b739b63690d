#pragma once

#include "broker/kafka/handlers/cluster_view.h"
#include "common/base/utf8.h"
#include "common/metadata/acl.h"

// What the handlers of access control lists share.
namespace tidemark::server {

// Without an authorizer there is nobody who would look at them.
inline constexpr char kNoAuthorizer[] =
    "No Authorizer is configured on the broker";

// The controllers are asked in messages whose strings are text.
template <class Filter>
bool IsText(const Filter& filter) {
  return IsUtf8(filter.resource_name_filter.value_or("")) &&
         IsUtf8(filter.principal_filter.value_or("")) &&
         IsUtf8(filter.host_filter.value_or(""));
}

template <class Filter>
metadata::AclFilter FilterOf(const Filter& message) {
  metadata::AclFilter out;
  out.type = static_cast<metadata::AclResource>(message.resource_type_filter);
  out.name = message.resource_name_filter;
  out.pattern = static_cast<metadata::AclPattern>(message.pattern_type_filter);
  out.principal = message.principal_filter;
  out.host = message.host_filter;
  out.operation = static_cast<metadata::AclOperation>(message.operation);
  out.permission =
      static_cast<metadata::AclPermission>(message.permission_type);
  return out;
}

}  // namespace tidemark::server
