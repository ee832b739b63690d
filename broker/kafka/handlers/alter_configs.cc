#include "common/kafka/messages/alter_configs.h"

#include "broker/kafka/handlers/cluster_view.h"
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
  ConfigChanges::Send(changes, context,
                      [request = std::move(request),
                       reply = std::move(reply)](const ConfigChanges& done) {
                        kafka::AlterConfigsResponse response;
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
