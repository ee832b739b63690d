#include "common/kafka/messages/metadata.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/controller_client.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Topic = kafka::MetadataResponse::MetadataResponseTopic;
using Partition = kafka::MetadataResponse::MetadataResponsePartition;

// How long a request waits for the topics it caused to be made.
constexpr Duration kCreationWait = std::chrono::milliseconds(500);

// One request on its way; shared by the callbacks of a topic creation.
struct Ask {
  RequestContext context;
  kafka::MetadataRequest request;
  Reply<kafka::MetadataResponse> reply;
  std::map<std::string, ErrorCode> creation_errors;
};

Partition DescribePartition(const metadata::Image& image,
                            const metadata::PartitionImage& from, int32_t index,
                            const RequestContext& context) {
  constexpr int16_t kListenerNotFoundSince = 6;
  Partition to;
  to.partition_index = index;
  to.leader_id = from.leader;
  to.leader_epoch = from.leader_epoch;
  to.replica_nodes = from.replicas;
  to.isr_nodes = from.isr;
  to.offline_replicas = OfflineReplicas(image, from.replicas, context.listener);
  const bool leader_alive =
      from.leader != kNoNode &&
      LiveEndpoint(image, from.leader, context.listener) != nullptr;
  if (!leader_alive) {
    const metadata::BrokerImage* leader = image.FindBroker(from.leader);
    const bool no_listener = leader != nullptr && !leader->fenced;
    to.error_code =
        Code(no_listener && context.version >= kListenerNotFoundSince
                 ? ErrorCode::kListenerNotFound
                 : ErrorCode::kLeaderNotAvailable);
    to.leader_id = kNoNode;
  } else if (context.version == 0 && !to.offline_replicas.empty()) {
    to.error_code = Code(ErrorCode::kReplicaNotAvailable);
  }
  if (context.version == 0) {
    // Its clients look every replica up in the list of brokers.
    auto offline = [&](int32_t id) {
      return std::ranges::count(to.offline_replicas, id) > 0;
    };
    std::erase_if(to.replica_nodes, offline);
    std::erase_if(to.isr_nodes, offline);
  }
  return to;
}

Topic DescribeTopic(const metadata::Image& image,
                    const metadata::TopicImage& from, const Ask& ask) {
  Topic to;
  to.name = from.name;
  to.topic_id = from.id;
  to.is_internal = IsInternalTopic(from.name);
  to.partitions.reserve(from.partitions.size());
  for (size_t i = 0; i < from.partitions.size(); ++i) {
    to.partitions.push_back(DescribePartition(
        image, *from.partitions[i], static_cast<int32_t>(i), ask.context));
  }
  if (ask.request.include_topic_authorized_operations) {
    to.topic_authorized_operations = kAllTopicOperations;
  }
  return to;
}

Topic Missing(std::optional<std::string> name, const Uuid& id,
              ErrorCode error) {
  Topic topic;
  topic.name = std::move(name);
  topic.topic_id = id;
  topic.error_code = Code(error);
  topic.is_internal = topic.name && IsInternalTopic(*topic.name);
  return topic;
}

bool WantsAll(const Ask& ask) {
  if (ask.context.version == 0) {
    return !ask.request.topics || ask.request.topics->empty();
  }
  return !ask.request.topics;
}

Topic Answer(const metadata::Image& image, const Ask& ask,
             const kafka::MetadataRequest::MetadataRequestTopic& wanted) {
  constexpr int16_t kByIdSince = 12;
  if (!wanted.topic_id.IsZero()) {
    if (ask.context.version < kByIdSince) {
      return Missing(wanted.name, wanted.topic_id, ErrorCode::kInvalidRequest);
    }
    const metadata::TopicImage* topic = image.FindTopic(wanted.topic_id);
    if (topic != nullptr) return DescribeTopic(image, *topic, ask);
    return Missing(std::nullopt, wanted.topic_id, ErrorCode::kUnknownTopicId);
  }
  if (!wanted.name) {
    return Missing("", wanted.topic_id, ErrorCode::kInvalidRequest);
  }
  const metadata::TopicImage* topic = image.FindTopic(*wanted.name);
  if (topic != nullptr) return DescribeTopic(image, *topic, ask);
  const auto failed = ask.creation_errors.find(*wanted.name);
  const ErrorCode error = !IsLegalTopicName(*wanted.name)
                              ? ErrorCode::kInvalidTopicException
                          : failed != ask.creation_errors.end()
                              ? failed->second
                              : ErrorCode::kUnknownTopicOrPartition;
  return Missing(wanted.name, Uuid{}, error);
}

kafka::MetadataResponse Answer(const Ask& ask) {
  const metadata::ImagePtr image = ask.context.services->metadata->Get();
  const std::string& listener = ask.context.listener;
  kafka::MetadataResponse response;
  response.cluster_id = ask.context.services->cluster_id;
  response.controller_id =
      AdminBroker(*image, ask.context.services->config->node_id, listener);
  if (ask.request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  for (const auto& [id, broker] : image->brokers()) {
    const auto* endpoint = LiveEndpoint(*image, id, listener);
    if (endpoint == nullptr) continue;
    auto& to = response.brokers.emplace_back();
    to.node_id = id;
    to.host = endpoint->host;
    to.port = endpoint->port;
    to.rack = NullableMessage(broker->rack);
  }
  if (WantsAll(ask)) {
    for (const auto& [name, topic] : image->topics()) {
      response.topics.push_back(DescribeTopic(*image, *topic, ask));
    }
    return response;
  }
  std::set<std::pair<std::string, Uuid>> seen;
  for (const auto& wanted : *ask.request.topics) {
    if (seen.emplace(wanted.name.value_or(""), wanted.topic_id).second) {
      response.topics.push_back(Answer(*image, ask, wanted));
    }
  }
  return response;
}

// The names that auto.create.topics.enable has to make.
std::vector<std::string> ToCreate(const Ask& ask) {
  std::set<std::string> names;
  const BrokerConfig& config = *ask.context.services->config;
  if (WantsAll(ask) || !ask.request.allow_auto_topic_creation ||
      !config.raw().GetBool("auto.create.topics.enable")) {
    return {};
  }
  const metadata::ImagePtr image = ask.context.services->metadata->Get();
  for (const auto& wanted : *ask.request.topics) {
    if (wanted.name && wanted.topic_id.IsZero() &&
        IsLegalTopicName(*wanted.name) && !IsInternalTopic(*wanted.name) &&
        image->FindTopic(*wanted.name) == nullptr) {
      names.insert(*wanted.name);
    }
  }
  return {names.begin(), names.end()};
}

// -1 leaves the choice to the controllers.
int32_t SettingOrDefault(const Config& config, std::string_view key) {
  return config.IsSet(key) ? static_cast<int32_t>(config.GetInt(key)) : -1;
}

void Create(const std::shared_ptr<Ask>& ask, std::vector<std::string> names) {
  const Config& config = ask->context.services->config->raw();
  admin::v1::CreateTopicsRequest request;
  for (const std::string& name : names) {
    auto* topic = request.add_topics();
    topic->set_name(name);
    topic->set_partitions(SettingOrDefault(config, "num.partitions"));
    topic->set_replication_factor(
        SettingOrDefault(config, "default.replication.factor"));
  }
  auto answer = [ask, names](Result<admin::v1::CreateTopicsResponse> created) {
    std::vector<std::string> waiting = names;
    if (!created) {
      // The outcome is open: the client asks again.
      for (const std::string& name : names) {
        ask->creation_errors[name] = ErrorCode::kLeaderNotAvailable;
      }
      waiting.clear();
    } else {
      for (const auto& topic : created->topics()) {
        const auto code = static_cast<ErrorCode>(topic.code());
        const bool exists =
            code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists;
        ask->creation_errors[topic.name()] =
            exists ? ErrorCode::kLeaderNotAvailable : code;
        if (exists) continue;
        std::erase(waiting, topic.name());
        LOG_EVERY_T(WARNING, 1) << "cannot auto-create topic=" << topic.name()
                                << " error=" << ErrorName(code) << " message=\""
                                << topic.message() << '"';
      }
    }
    WaitForImage(
        ask->context, kCreationWait,
        [waiting](const metadata::Image& image) {
          return std::ranges::all_of(waiting, [&](const std::string& name) {
            return image.FindTopic(name) != nullptr;
          });
        },
        [ask] { ask->reply(Answer(*ask)); });
  };
  ask->context.services->controller->CreateTopics(
      std::move(request), kCreationWait, std::move(answer));
}

}  // namespace

void HandleMetadata(RequestContext context, kafka::MetadataRequest request,
                    Reply<kafka::MetadataResponse> reply) {
  auto ask = std::make_shared<Ask>(
      Ask{std::move(context), std::move(request), std::move(reply), {}});
  std::vector<std::string> names = ToCreate(*ask);
  if (names.empty()) return ask->reply(Answer(*ask));
  Create(ask, std::move(names));
}

}  // namespace tidemark::server
