#include "common/kafka/messages/describe_acls.h"

#include <map>

#include "broker/kafka/handlers/acl_messages.h"
#include "broker/kafka/handlers/handlers.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Response = kafka::DescribeAclsResponse;

Response Refuse(ErrorCode error, const std::string& message) {
  Response response;
  response.error_code = Code(error);
  response.error_message = message;
  return response;
}

}  // namespace

// From this broker's image, as Kafka's.
void HandleDescribeAcls(RequestContext context,
                        kafka::DescribeAclsRequest request,
                        Reply<Response> reply) {
  if (context.services->authorizer == nullptr) {
    return reply(Refuse(ErrorCode::kSecurityDisabled, kNoAuthorizer));
  }
  const metadata::AclFilter filter = FilterOf(request);
  if (Status checked = metadata::CheckFilter(filter); !checked) {
    return reply(Refuse(checked.error().code, checked.error().message));
  }
  std::map<metadata::ResourcePattern, Response::DescribeAclsResource> found;
  context.services->metadata->Get()->acls().EachMatching(
      filter, [&](const Uuid&, const metadata::Acl& acl) {
        found[acl.resource].acls.push_back(
            {acl.principal, acl.host, static_cast<int8_t>(acl.operation),
             static_cast<int8_t>(acl.permission)});
      });
  Response response;
  for (auto& [pattern, resource] : found) {
    resource.resource_type = static_cast<int8_t>(pattern.type);
    resource.resource_name = pattern.name;
    resource.pattern_type = static_cast<int8_t>(pattern.pattern);
    response.resources.push_back(std::move(resource));
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
