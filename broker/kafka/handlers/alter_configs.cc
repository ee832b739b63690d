#include "common/kafka/messages/alter_configs.h"

#include "broker/kafka/handlers/config_changes.h"

namespace tidemark::server {

// What a resource has and the request does not name is deleted.
void HandleAlterConfigs(RequestContext context,
                        kafka::AlterConfigsRequest request,
                        Reply<kafka::AlterConfigsResponse> reply) {
  auto changes = std::make_shared<ConfigChanges>(request.validate_only);
  for (const auto& resource : request.resources) {
    std::vector<ConfigChanges::Entry> entries;
    for (const auto& config : resource.configs) {
      entries.push_back({config.name, admin::v1::SET, config.value});
    }
    changes->Add(resource.resource_type, resource.resource_name, entries, true);
  }
  ConfigChanges::SendAndAnswer(changes, context, std::move(request),
                               std::move(reply));
}

}  // namespace tidemark::server
