#include "common/kafka/messages/incremental_alter_configs.h"

#include "broker/kafka/handlers/cluster_view.h"
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
  ConfigChanges::Send(changes, context,
                      [request = std::move(request),
                       reply = std::move(reply)](const ConfigChanges& done) {
                        kafka::IncrementalAlterConfigsResponse response;
                        for (const auto& resource : request.resources) {
                          auto& outcome = response.responses.emplace_back();
                          outcome.resource_type = resource.resource_type;
                          outcome.resource_name = resource.resource_name;
                          const Error error = done.OutcomeOf(
                              resource.resource_type, resource.resource_name);
                          outcome.error_code = Code(error.code);
                          outcome.error_message =
                              NullableMessage(error.message);
                        }
                        reply(std::move(response));
                      });
}

}  // namespace tidemark::server
