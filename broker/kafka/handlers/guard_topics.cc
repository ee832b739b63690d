// Guards of what is about topics and the cluster's shape.
#include <map>
#include <set>

#include "broker/kafka/handlers/guards.h"
#include "broker/metadata/broker_config.h"
#include "common/kafka/messages/create_partitions.h"
#include "common/kafka/messages/create_topics.h"
#include "common/kafka/messages/delete_topics.h"
#include "common/kafka/messages/describe_cluster.h"
#include "common/kafka/messages/describe_topic_partitions.h"
#include "common/kafka/messages/metadata.h"

namespace tidemark::server {
namespace {

using enum AclOperation;
using WantedTopic = kafka::MetadataRequest::MetadataRequestTopic;

// Whom nobody may describe the cluster to hears of no right in it.
int32_t ClusterOperations(const Rights& rights) {
  return rights.MayCluster(kDescribe)
             ? rights.Operations(AclResource::kCluster, metadata::kClusterName)
             : 0;
}

bool WantsAll(const kafka::MetadataRequest& request, int16_t version) {
  return !request.topics || (version == 0 && request.topics->empty());
}

// What is known of a topic by its name or id; "": nothing.
std::string NameOf(const metadata::Image& image, const WantedTopic& wanted) {
  if (wanted.topic_id.IsZero()) return wanted.name.value_or("");
  const metadata::TopicImage* topic = image.FindTopic(wanted.topic_id);
  return topic == nullptr ? "" : topic->name;
}

// Whether the request would make the topic.
bool WouldCreate(const RequestContext& context,
                 const kafka::MetadataRequest& request,
                 const WantedTopic& wanted, const std::string& name) {
  return wanted.topic_id.IsZero() && request.allow_auto_topic_creation &&
         context.services->config->raw().GetBool("auto.create.topics.enable") &&
         context.rights->image().FindTopic(name) == nullptr &&
         IsLegalTopicName(name) && !IsInternalTopic(name);
}

// Of topics that are not there too: who hears of them may know what they may
// do there.
void AddMetadataOperations(const Rights& rights, bool of_cluster,
                           bool of_topics, kafka::MetadataResponse* response) {
  if (of_cluster) {
    response->cluster_authorized_operations = ClusterOperations(rights);
  }
  for (auto& topic : response->topics) {
    if (!of_topics || !topic.name) continue;
    topic.topic_authorized_operations =
        rights.Operations(AclResource::kTopic, *topic.name);
  }
}

kafka::CreateTopicsResponse::CreatableTopicResult NotCreated(
    const kafka::CreateTopicsRequest::CreatableTopic& topic) {
  kafka::CreateTopicsResponse::CreatableTopicResult out;
  out.name = topic.name;
  out.error_code = Code(kNotThisTopic);
  out.error_message = "Authorization failed.";
  return out;
}

using DeleteRequest = kafka::DeleteTopicsRequest;
using DeleteResponse = kafka::DeleteTopicsResponse;

const metadata::TopicImage* Find(const metadata::Image& image,
                                 const DeleteRequest::DeleteTopicState& one) {
  return one.topic_id.IsZero() ? image.FindTopic(one.name.value_or(""))
                               : image.FindTopic(one.topic_id);
}

// The controllers may know a topic that this broker does not know yet: what is
// passed on may be deleted whether it is there or not.
bool MayDelete(const Rights& rights,
               const DeleteRequest::DeleteTopicState& wanted) {
  if (wanted.topic_id.IsZero()) {
    const std::string name = wanted.name.value_or("");
    return rights.MayTopic(kDescribe, name) && rights.MayTopic(kDelete, name);
  }
  const metadata::TopicImage* topic = Find(rights.image(), wanted);
  return topic != nullptr && rights.MayTopic(kDelete, topic->name);
}

// Who may describe a name hears that it is not there.
ErrorCode WhyNotDeleted(const Rights& rights,
                        const DeleteRequest::DeleteTopicState& wanted) {
  if (Find(rights.image(), wanted) != nullptr) return kNotThisTopic;
  if (!wanted.topic_id.IsZero()) return ErrorCode::kUnknownTopicId;
  return rights.MayTopic(kDescribe, wanted.name.value_or(""),
                         Rights::Audit::kNo)
             ? ErrorCode::kUnknownTopicOrPartition
             : kNotThisTopic;
}

DeleteResponse::DeletableTopicResult NotDeleted(
    const Rights& rights, const DeleteRequest::DeleteTopicState& wanted) {
  DeleteResponse::DeletableTopicResult out;
  out.name = wanted.name;
  out.topic_id = wanted.topic_id;
  const ErrorCode why = WhyNotDeleted(rights, wanted);
  out.error_code = Code(why);
  if (why == kNotThisTopic) out.error_message = "Topic authorization failed.";
  if (wanted.topic_id.IsZero()) return out;
  const metadata::TopicImage* topic = rights.image().FindTopic(wanted.topic_id);
  if (topic != nullptr &&
      rights.MayTopic(kDescribe, topic->name, Rights::Audit::kNo)) {
    out.name = topic->name;
  }
  return out;
}

}  // namespace

void GuardMetadata(RequestContext context, kafka::MetadataRequest request,
                   Reply<kafka::MetadataResponse> reply) {
  using Response = kafka::MetadataResponse;
  const auto rights = context.rights;
  const bool all = WantsAll(request, context.version);
  std::vector<Response::MetadataResponseTopic> refused;
  if (!all) {
    for (const WantedTopic& wanted :
         TakeDenied(&*request.topics, [&](const WantedTopic& one) {
           const std::string name = NameOf(rights->image(), one);
           if (name.empty()) return true;  // nothing is told of it anyway
           return rights->MayTopic(kDescribe, name) &&
                  (!WouldCreate(context, request, one, name) ||
                   MayCreate(*rights, name));
         })) {
      auto& to = refused.emplace_back();
      to.error_code = Code(kNotThisTopic);
      to.topic_id = wanted.topic_id;
      if (wanted.topic_id.IsZero()) to.name = wanted.name;
    }
  }
  // Version 0 would take none for all.
  const bool none = context.version == 0 && !all && request.topics->empty();
  if (none) request.topics->push_back({{}, "."});
  const bool of_cluster = request.include_cluster_authorized_operations;
  const bool of_topics = request.include_topic_authorized_operations;
  HandleMetadata(
      std::move(context), std::move(request),
      [rights, all, none, of_cluster, of_topics, refused = std::move(refused),
       reply = std::move(reply)](Response response) {
        if (none) response.topics.clear();
        if (all) {
          std::erase_if(response.topics, [&](const auto& topic) {
            return !rights->MayTopic(kDescribe, topic.name.value_or(""),
                                     Rights::Audit::kNo);
          });
        }
        AddMetadataOperations(*rights, of_cluster, of_topics, &response);
        response.topics.insert(response.topics.end(), refused.begin(),
                               refused.end());
        reply(std::move(response));
      });
}

void GuardDescribeTopicPartitions(
    RequestContext context, kafka::DescribeTopicPartitionsRequest request,
    Reply<kafka::DescribeTopicPartitionsResponse> reply) {
  using Response = kafka::DescribeTopicPartitionsResponse;
  const auto rights = context.rights;
  const bool all = request.topics.empty();
  if (all) {
    // Those that are hidden must not count against the size of a page.
    for (const auto& [name, topic] : rights->image().topics()) {
      if (rights->MayTopic(kDescribe, name, Rights::Audit::kNo)) {
        request.topics.push_back({name});
      }
    }
    // What the cursor stands at may be gone, or hidden since.
    if (request.cursor) {
      const std::string& from = request.cursor->topic_name;
      std::erase_if(request.topics,
                    [&](const auto& topic) { return topic.name < from; });
      const bool there =
          !request.topics.empty() && request.topics.front().name == from;
      if (!there) request.cursor.reset();
    }
    if (request.topics.empty()) return reply(Response());
  }
  Reply<Response> with_operations =
      [rights, reply = std::move(reply)](Response response) {
        for (auto& topic : response.topics) {
          if (topic.topic_authorized_operations == INT32_MIN || !topic.name) {
            continue;
          }
          topic.topic_authorized_operations =
              rights->Operations(AclResource::kTopic, *topic.name);
        }
        reply(std::move(response));
      };
  PassAllowed(
      &HandleDescribeTopicPartitions, std::move(context), std::move(request),
      std::move(with_operations),
      &kafka::DescribeTopicPartitionsRequest::topics, &Response::topics,
      [&](const auto& topic) {
        return all || rights->MayTopic(kDescribe, topic.name);
      },
      [](const auto& topic) {
        Response::DescribeTopicPartitionsResponseTopic out;
        out.name = topic.name;
        out.error_code = Code(kNotThisTopic);
        return out;
      });
}

void GuardCreateTopics(RequestContext context,
                       kafka::CreateTopicsRequest request,
                       Reply<kafka::CreateTopicsResponse> reply) {
  constexpr int16_t kFirstWithConfigs = 5;
  using Response = kafka::CreateTopicsResponse;
  const auto rights = context.rights;
  Reply<Response> hidden = [rights, version = context.version,
                            reply = std::move(reply)](Response response) {
    for (auto& topic : response.topics) {
      if (topic.error_code != 0 || version < kFirstWithConfigs ||
          rights->MayTopic(kDescribeConfigs, topic.name, Rights::Audit::kNo)) {
        continue;
      }
      topic.topic_config_error_code = Code(kNotThisTopic);
      topic.num_partitions = -1;
      topic.replication_factor = -1;
      topic.configs.emplace();
    }
    reply(std::move(response));
  };
  PassAllowed(
      &HandleCreateTopics, std::move(context), std::move(request),
      std::move(hidden), &kafka::CreateTopicsRequest::topics, &Response::topics,
      [&](const auto& topic) { return MayCreate(*rights, topic.name); },
      NotCreated);
}

void GuardDeleteTopics(RequestContext context, DeleteRequest request,
                       Reply<DeleteResponse> reply) {
  const auto rights = context.rights;
  if (rights->MayCluster(kDelete, Rights::Audit::kIfAllowed)) {
    return HandleDeleteTopics(std::move(context), std::move(request),
                              std::move(reply));
  }
  for (std::string& name : std::exchange(request.topic_names, {})) {
    request.topics.push_back({std::move(name), Uuid{}});
  }
  PassAllowed(
      &HandleDeleteTopics, std::move(context), std::move(request),
      std::move(reply), &DeleteRequest::topics, &DeleteResponse::responses,
      [&](const auto& wanted) { return MayDelete(*rights, wanted); },
      [&](const auto& wanted) { return NotDeleted(*rights, wanted); });
}

void GuardCreatePartitions(RequestContext context,
                           kafka::CreatePartitionsRequest request,
                           Reply<kafka::CreatePartitionsResponse> reply) {
  using Response = kafka::CreatePartitionsResponse;
  const auto rights = context.rights;
  PassAllowed(
      &HandleCreatePartitions, std::move(context), std::move(request),
      std::move(reply), &kafka::CreatePartitionsRequest::topics,
      &Response::results,
      [&](const auto& topic) { return rights->MayTopic(kAlter, topic.name); },
      [](const auto& topic) {
        return Response::CreatePartitionsTopicResult{
            topic.name, Code(kNotThisTopic), std::nullopt};
      });
}

void GuardDescribeCluster(RequestContext context,
                          kafka::DescribeClusterRequest request,
                          Reply<kafka::DescribeClusterResponse> reply) {
  const auto rights = context.rights;
  const bool wanted = request.include_cluster_authorized_operations;
  HandleDescribeCluster(std::move(context), std::move(request),
                        [rights, wanted, reply = std::move(reply)](
                            kafka::DescribeClusterResponse response) {
                          if (wanted && response.error_code == 0) {
                            response.cluster_authorized_operations =
                                ClusterOperations(*rights);
                          }
                          reply(std::move(response));
                        });
}

}  // namespace tidemark::server
