#include "common/kafka/messages/incremental_alter_configs.h"

#include <algorithm>
#include <set>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/controller_client.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

using Request = kafka::IncrementalAlterConfigsRequest;
using Response = kafka::IncrementalAlterConfigsResponse;
using Outcome = Response::AlterConfigsResourceResponse;
using ResourceKey = std::pair<int32_t, std::string>;

constexpr Duration kTimeout = std::chrono::seconds(30);

struct Alteration {
  RequestContext context;
  Request request;
  Reply<Response> reply;
  std::map<ResourceKey, Error> outcomes;
};

Status Check(const Request::AlterConfigsResource& resource) {
  const auto type = static_cast<metadata::ResourceType>(resource.resource_type);
  if (type != metadata::ResourceType::kTopic &&
      type != metadata::ResourceType::kBroker) {
    return Fail(ErrorCode::kInvalidRequest,
                "Settings of resource type " +
                    std::to_string(resource.resource_type) +
                    " cannot be changed: 2 (topic) and 4 (broker) can.");
  }
  if (!IsUtf8(resource.resource_name)) {
    return Fail(ErrorCode::kUnknownTopicOrPartition,
                "The resource's name is not valid UTF-8.");
  }
  std::set<std::string> keys;
  for (const auto& config : resource.configs) {
    if (!keys.insert(config.name).second) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Error due to duplicate config keys: " + config.name);
    }
    if (config.config_operation < 0 || config.config_operation > 3) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Unknown operation type " +
                      std::to_string(config.config_operation) +
                      ": 0 (set), 1 (delete), 2 (append), 3 (subtract).");
    }
    if (!config.value && config.config_operation != admin::v1::DELETE) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Null value not supported for: " + config.name);
    }
    TM_RETURN_IF_ERROR(CheckConfigText(config.name, config.value.value_or("")));
  }
  return {};
}

void Add(const Request::AlterConfigsResource& from,
         admin::v1::AlterConfigsRequest* to) {
  auto* resource = to->add_resources();
  resource->mutable_resource()->set_type(from.resource_type);
  resource->mutable_resource()->set_name(from.resource_name);
  for (const auto& config : from.configs) {
    auto* change = resource->add_changes();
    change->set_key(config.name);
    change->set_op(static_cast<admin::v1::ConfigOp>(config.config_operation));
    change->set_value(config.value.value_or(""));
  }
}

void Answer(const Alteration& alteration) {
  Response response;
  for (const auto& resource : alteration.request.resources) {
    Outcome& outcome = response.responses.emplace_back();
    outcome.resource_type = resource.resource_type;
    outcome.resource_name = resource.resource_name;
    const auto found = alteration.outcomes.find(
        {resource.resource_type, resource.resource_name});
    const Error error = found == alteration.outcomes.end()
                            ? Error{ErrorCode::kUnknownServerError, ""}
                            : found->second;
    outcome.error_code = Code(error.code);
    outcome.error_message = NullableMessage(error.message);
  }
  alteration.reply(std::move(response));
}

}  // namespace

void HandleIncrementalAlterConfigs(RequestContext context, Request request,
                                   Reply<Response> reply) {
  auto alteration = std::make_shared<Alteration>(
      Alteration{std::move(context), std::move(request), std::move(reply), {}});
  admin::v1::AlterConfigsRequest ask;
  ask.set_validate_only(alteration->request.validate_only);
  std::map<ResourceKey, int> times;
  for (const auto& resource : alteration->request.resources) {
    ++times[{resource.resource_type, resource.resource_name}];
  }
  for (const auto& resource : alteration->request.resources) {
    const ResourceKey key{resource.resource_type, resource.resource_name};
    if (times[key] > 1) {
      alteration->outcomes[key] = {ErrorCode::kInvalidRequest,
                                   "Each resource must appear at most once."};
    } else if (Status checked = Check(resource); !checked) {
      alteration->outcomes[key] = checked.error();
    } else {
      Add(resource, &ask);
    }
  }
  if (ask.resources().empty()) return Answer(*alteration);
  alteration->context.services->controller->AlterConfigs(
      ask, kTimeout,
      [alteration, ask](Result<admin::v1::AlterConfigsResponse> answer) {
        for (const auto& resource : ask.resources()) {
          const ResourceKey key{resource.resource().type(),
                                resource.resource().name()};
          if (!answer) alteration->outcomes[key] = answer.error();
        }
        if (answer) {
          for (const auto& result : answer->resources()) {
            alteration->outcomes[{result.resource().type(),
                                  result.resource().name()}] = {
                static_cast<ErrorCode>(result.code()), result.message()};
          }
        }
        Answer(*alteration);
      });
}

}  // namespace tidemark::server
