#include "common/kafka/messages/create_partitions.h"

#include <algorithm>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/controller_client.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

using Request = kafka::CreatePartitionsRequest;
using Response = kafka::CreatePartitionsResponse;

struct Growth {
  RequestContext context;
  Request request;
  Reply<Response> reply;
};

void OnAnswer(const std::shared_ptr<Growth>& growth,
              const Result<admin::v1::CreatePartitionsResponse>& answer) {
  Response response;
  std::map<std::string, int32_t> grown;
  for (const auto& topic : growth->request.topics) {
    auto& result = response.results.emplace_back();
    result.name = topic.name;
    if (!IsUtf8(topic.name)) {  // was not asked for
      result.error_code = Code(ErrorCode::kUnknownTopicOrPartition);
      continue;
    }
    if (!answer) {
      result.error_code = Code(answer.error().code);
      result.error_message = NullableMessage(answer.error().message);
      continue;
    }
    const auto found = std::ranges::find_if(
        answer->topics(),
        [&](const auto& t) { return t.name() == topic.name; });
    if (found == answer->topics().end()) {
      result.error_code = Code(ErrorCode::kUnknownServerError);
      continue;
    }
    result.error_code = static_cast<int16_t>(found->code());
    result.error_message = NullableMessage(found->message());
    if (found->code() == 0) grown[topic.name] = topic.count;
  }
  if (growth->request.validate_only) grown.clear();
  WaitForImage(
      growth->context, kImageWait,
      [grown](const metadata::Image& image) {
        return std::ranges::all_of(grown, [&](const auto& entry) {
          const auto* topic = image.FindTopic(entry.first);
          return topic != nullptr &&
                 topic->partitions.size() >= static_cast<size_t>(entry.second);
        });
      },
      [growth, response = std::move(response)] { growth->reply(response); });
}

}  // namespace

void HandleCreatePartitions(RequestContext context, Request request,
                            Reply<Response> reply) {
  auto growth = std::make_shared<Growth>(
      Growth{std::move(context), std::move(request), std::move(reply)});
  admin::v1::CreatePartitionsRequest ask;
  ask.set_validate_only(growth->request.validate_only);
  for (const auto& topic : growth->request.topics) {
    if (!IsUtf8(topic.name)) continue;
    auto* to = ask.add_topics();
    to->set_name(topic.name);
    to->set_count(topic.count);
    if (!topic.assignments) continue;
    for (const auto& assignment : *topic.assignments) {
      auto* replicas = to->add_assignment();
      for (int32_t id : assignment.broker_ids) replicas->add_broker_ids(id);
    }
  }
  growth->context.services->controller->CreatePartitions(
      std::move(ask), AdminTimeout(growth->request.timeout_ms),
      [growth](Result<admin::v1::CreatePartitionsResponse> answer) {
        OnAnswer(growth, answer);
      });
}

}  // namespace tidemark::server
