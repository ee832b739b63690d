#include "common/kafka/messages/incremental_alter_configs.h"

#include "broker/kafka/handlers/config_changes.h"

namespace tidemark::server {

void HandleIncrementalAlterConfigs(
    RequestContext context, kafka::IncrementalAlterConfigsRequest request,
    Reply<kafka::IncrementalAlterConfigsResponse> reply) {
  auto changes = std::make_shared<ConfigChanges>(request.validate_only);
  for (const auto& resource : request.resources) {
    std::vector<ConfigChanges::Entry> entries;
    for (const auto& config : resource.configs) {
      entries.push_back({config.name, config.config_operation, config.value});
    }
    changes->Add(resource.resource_type, resource.resource_name, entries,
                 false);
  }
  ConfigChanges::SendAndAnswer(changes, context, std::move(request),
                               std::move(reply));
}

}  // namespace tidemark::server
