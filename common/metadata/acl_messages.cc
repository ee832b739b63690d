#include "common/metadata/acl_messages.h"

namespace tidemark::metadata {
namespace {

template <class Kind>
Kind KindFrom(int32_t number) {
  return number >= 0 && number <= INT8_MAX ? static_cast<Kind>(number)
                                           : Kind::kUnknown;
}

}  // namespace

Acl FromMessage(const admin::v1::Acl& message) {
  return {
      {KindFrom<AclResource>(message.resource_type()),
       KindFrom<AclPattern>(message.pattern_type()), message.resource_name()},
      message.principal(),
      message.host(),
      KindFrom<AclOperation>(message.operation()),
      KindFrom<AclPermission>(message.permission())};
}

AclFilter FromMessage(const admin::v1::AclFilter& message) {
  AclFilter out;
  out.type = KindFrom<AclResource>(message.resource_type());
  out.pattern = KindFrom<AclPattern>(message.pattern_type());
  out.operation = KindFrom<AclOperation>(message.operation());
  out.permission = KindFrom<AclPermission>(message.permission());
  if (message.has_resource_name()) out.name = message.resource_name();
  if (message.has_principal()) out.principal = message.principal();
  if (message.has_host()) out.host = message.host();
  return out;
}

void ToMessage(const Acl& acl, admin::v1::Acl* message) {
  message->set_resource_type(static_cast<int32_t>(acl.resource.type));
  message->set_resource_name(acl.resource.name);
  message->set_pattern_type(static_cast<int32_t>(acl.resource.pattern));
  message->set_principal(acl.principal);
  message->set_host(acl.host);
  message->set_operation(static_cast<int32_t>(acl.operation));
  message->set_permission(static_cast<int32_t>(acl.permission));
}

void ToMessage(const AclFilter& filter, admin::v1::AclFilter* message) {
  message->set_resource_type(static_cast<int32_t>(filter.type));
  message->set_pattern_type(static_cast<int32_t>(filter.pattern));
  message->set_operation(static_cast<int32_t>(filter.operation));
  message->set_permission(static_cast<int32_t>(filter.permission));
  if (filter.name) message->set_resource_name(*filter.name);
  if (filter.principal) message->set_principal(*filter.principal);
  if (filter.host) message->set_host(*filter.host);
}

}  // namespace tidemark::metadata
