#include "common/kafka/messages/list_config_resources.h"

#include <algorithm>
#include <set>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Request = kafka::ListConfigResourcesRequest;
using Response = kafka::ListConfigResourcesResponse;
using metadata::ResourceType;

// Kafka's type of the loggers of a broker, which have no settings here.
constexpr int8_t kBrokerLogger = 8;
constexpr int8_t kTypes[] = {static_cast<int8_t>(ResourceType::kTopic),
                             static_cast<int8_t>(ResourceType::kBroker),
                             kBrokerLogger,
                             static_cast<int8_t>(ResourceType::kClientMetrics),
                             static_cast<int8_t>(ResourceType::kGroup)};

}  // namespace

void HandleListConfigResources(RequestContext context, Request request,
                               Reply<Response> reply) {
  Response response;
  std::set<int8_t> types(request.resource_types.begin(),
                         request.resource_types.end());
  if (context.version == 0) {
    types = {static_cast<int8_t>(ResourceType::kClientMetrics)};
  }
  for (const int8_t type : types) {
    if (std::ranges::count(kTypes, type) > 0) continue;
    response.error_code = Code(ErrorCode::kUnsupportedVersion);
    return reply(std::move(response));
  }
  const metadata::ImagePtr image = context.services->metadata->Get();
  const auto of = [&](ResourceType type) {
    return types.empty() || types.contains(static_cast<int8_t>(type));
  };
  const auto add = [&](ResourceType type, const std::string& name) {
    auto& resource = response.config_resources.emplace_back();
    resource.resource_name = name;
    resource.resource_type = static_cast<int8_t>(type);
  };
  for (const auto type : {ResourceType::kGroup, ResourceType::kClientMetrics}) {
    if (!of(type)) continue;
    for (const auto& name : image->configs().Names(type)) add(type, name);
  }
  for (const auto& [id, broker] : image->brokers()) {
    if (of(ResourceType::kBroker) && !broker->fenced) {
      add(ResourceType::kBroker, std::to_string(id));
    }
  }
  if (of(ResourceType::kTopic)) {
    for (const auto& [name, topic] : image->topics()) {
      add(ResourceType::kTopic, name);
    }
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
