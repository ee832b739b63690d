#include "common/kafka/messages/create_topics.h"

#include <algorithm>
#include <set>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/controller_client.h"
#include "broker/metadata/image_holder.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

using Request = kafka::CreateTopicsRequest;
using Response = kafka::CreateTopicsResponse;
using TopicResult = Response::CreatableTopicResult;

struct Creation {
  RequestContext context;
  Request request;
  Reply<Response> reply;
  // By name, for topics that do not reach the controllers or came back.
  std::map<std::string, TopicResult> results;
};

TopicResult Failed(const std::string& name, ErrorCode code,
                   std::string message) {
  TopicResult result;
  result.name = name;
  result.error_code = Code(code);
  result.error_message = NullableMessage(message);
  return result;
}

// What only the shape of the Kafka request can get wrong; the rest is for the
// controllers to judge.
Status CheckShape(const Request::CreatableTopic& topic) {
  if (!IsUtf8(topic.name)) {
    return Fail(ErrorCode::kInvalidTopicException,
                "The topic name is not valid UTF-8.");
  }
  std::set<int32_t> indexes;
  for (const auto& assignment : topic.assignments) {
    if (!indexes.insert(assignment.partition_index).second) {
      return Fail(ErrorCode::kInvalidReplicaAssignment,
                  "Partition " + std::to_string(assignment.partition_index) +
                      " is assigned twice.");
    }
  }
  if (!indexes.empty() &&
      (*indexes.begin() != 0 ||
       *indexes.rbegin() + 1 != static_cast<int64_t>(indexes.size()))) {
    return Fail(ErrorCode::kInvalidReplicaAssignment,
                "Partitions should be a consecutive 0-based integer sequence.");
  }
  if (!topic.assignments.empty() &&
      (topic.num_partitions != -1 || topic.replication_factor != -1)) {
    return Fail(ErrorCode::kInvalidRequest,
                "Both numPartitions or replicationFactor and "
                "replicasAssignments were set. Both cannot be used at the "
                "same time.");
  }
  for (const auto& config : topic.configs) {
    if (!config.value) {
      return Fail(ErrorCode::kInvalidConfig,
                  "Null value not supported for topic configs: " + config.name);
    }
    TM_RETURN_IF_ERROR(CheckConfigText(config.name, *config.value));
  }
  return {};
}

void Add(const Request::CreatableTopic& from,
         admin::v1::CreateTopicsRequest* to) {
  auto* topic = to->add_topics();
  topic->set_name(from.name);
  topic->set_partitions(from.num_partitions);
  topic->set_replication_factor(from.replication_factor);
  auto assignments = from.assignments;
  std::ranges::sort(assignments, {},
                    &Request::CreatableReplicaAssignment::partition_index);
  for (const auto& assignment : assignments) {
    auto* replicas = topic->add_assignment();
    for (int32_t id : assignment.broker_ids) replicas->add_broker_ids(id);
  }
  for (const auto& config : from.configs) {
    (*topic->mutable_configs())[config.name] = *config.value;
  }
}

TopicResult FromAnswer(const admin::v1::CreateTopicsResponse::Topic& answer) {
  if (answer.code() != 0) {
    return Failed(answer.name(), static_cast<ErrorCode>(answer.code()),
                  answer.message());
  }
  TopicResult result;
  result.name = answer.name();
  result.topic_id = Uuid::FromBytes(answer.topic_id()).value_or(Uuid{});
  result.num_partitions = answer.partitions();
  result.replication_factor = static_cast<int16_t>(answer.replication_factor());
  return result;
}

// v5+: the settings the new topic has.
void AddConfigs(const Creation& creation, const Request::CreatableTopic& topic,
                TopicResult* result) {
  const metadata::ImagePtr image = creation.context.services->metadata->Get();
  std::map<std::string, std::string> own;
  for (const auto& config : topic.configs) own[config.name] = *config.value;
  result->configs.emplace();
  for (const auto& key : metadata::TopicConfigKeys()) {
    auto& to = result->configs->emplace_back();
    const auto resolved =
        ResolveFor(*creation.context.services, *image, topic.name, key.name);
    const auto mine = own.find(std::string(key.name));
    to.name = key.name;
    to.value = mine == own.end() ? resolved.value : mine->second;
    to.config_source = static_cast<int8_t>(
        mine == own.end() ? resolved.source : metadata::ConfigSource::kTopic);
  }
}

void Answer(const std::shared_ptr<Creation>& creation) {
  Response response;
  std::set<std::string> answered;
  for (const auto& topic : creation->request.topics) {
    if (!answered.insert(topic.name).second) continue;
    TopicResult& result = creation->results[topic.name];
    if (result.error_code == 0) AddConfigs(*creation, topic, &result);
    response.topics.push_back(std::move(result));
  }
  creation->reply(std::move(response));
}

void OnAnswer(const std::shared_ptr<Creation>& creation,
              const Result<admin::v1::CreateTopicsResponse>& answer) {
  std::vector<std::string> created;
  if (answer) {
    for (const auto& topic : answer->topics()) {
      if (topic.code() == 0) created.push_back(topic.name());
      creation->results[topic.name()] = FromAnswer(topic);
    }
  }
  for (const auto& topic : creation->request.topics) {
    if (creation->results.contains(topic.name)) continue;
    const Error error =
        answer ? Error{ErrorCode::kUnknownServerError, ""} : answer.error();
    creation->results[topic.name] =
        Failed(topic.name, error.code, error.message);
  }
  if (creation->request.validate_only || created.empty()) {
    return Answer(creation);
  }
  WaitForImage(
      creation->context, kImageWait,
      [created](const metadata::Image& image) {
        return std::ranges::all_of(created, [&](const std::string& name) {
          return image.FindTopic(name) != nullptr;
        });
      },
      [creation] { Answer(creation); });
}

}  // namespace

void HandleCreateTopics(RequestContext context, Request request,
                        Reply<Response> reply) {
  auto creation = std::make_shared<Creation>(
      Creation{std::move(context), std::move(request), std::move(reply), {}});
  admin::v1::CreateTopicsRequest ask;
  ask.set_validate_only(creation->request.validate_only);
  std::map<std::string, int> times;
  for (const auto& topic : creation->request.topics) ++times[topic.name];
  for (const auto& topic : creation->request.topics) {
    if (times[topic.name] > 1) {
      creation->results[topic.name] = Failed(
          topic.name, ErrorCode::kInvalidRequest, "Duplicate topic name.");
    } else if (Status shape = CheckShape(topic); !shape) {
      creation->results[topic.name] =
          Failed(topic.name, shape.error().code, shape.error().message);
    } else {
      Add(topic, &ask);
    }
  }
  if (ask.topics().empty()) return Answer(creation);
  const Duration timeout = AdminTimeout(creation->request.timeout_ms);
  creation->context.services->controller->CreateTopics(
      std::move(ask), timeout,
      [creation](Result<admin::v1::CreateTopicsResponse> answer) {
        OnAnswer(creation, answer);
      });
}

}  // namespace tidemark::server
