#include "common/kafka/messages/elect_leaders.h"

#include <map>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/controller_client.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

using Request = kafka::ElectLeadersRequest;
using Response = kafka::ElectLeadersResponse;
using Ask = admin::v1::ElectLeadersRequest;
using Answer = admin::v1::ElectLeadersResponse;

constexpr int8_t kPreferred = 0, kUnclean = 1;
// More than any tool asks for at once.
constexpr size_t kMostPartitions = 100'000;

Response Refuse(ErrorCode code, int16_t version) {
  Response response;
  response.error_code = Code(code);
  // The first version has an error for each partition only.
  if (version == 0) {
    response.replica_election_results.push_back(
        {"", {{-1, Code(code), std::nullopt}}});
  }
  return response;
}

Response ToResponse(const Answer& answer) {
  std::map<std::string, std::vector<Response::PartitionResult>> by_topic;
  for (const auto& result : answer.partitions()) {
    by_topic[result.topic()].push_back({result.partition(),
                                        static_cast<int16_t>(result.code()),
                                        NullableMessage(result.message())});
  }
  Response response;
  for (auto& [topic, results] : by_topic) {
    response.replica_election_results.push_back({topic, std::move(results)});
  }
  return response;
}

}  // namespace

void HandleElectLeaders(RequestContext context, Request request,
                        Reply<Response> reply) {
  const int16_t version = context.version;
  if (request.election_type != kPreferred &&
      request.election_type != kUnclean) {
    return reply(Refuse(ErrorCode::kInvalidRequest, version));
  }
  Ask ask;
  ask.set_unclean(request.election_type == kUnclean);
  if (request.topic_partitions) {
    size_t count = 0;
    for (const auto& topic : *request.topic_partitions) {
      count += topic.partitions.size();
      if (count > kMostPartitions) return;
      for (const PartitionIndex partition : topic.partitions) {
        auto* one = ask.add_partitions();
        // No topic has a name that is no text.
        one->set_topic(IsUtf8(topic.topic) ? topic.topic : "");
        one->set_partition(partition);
      }
    }
    // None, where the controllers would take it for all.
    if (count == 0) return reply(Response());
  }
  context.services->controller->ElectLeaders(
      std::move(ask), AdminTimeout(request.timeout_ms),
      [version, reply = std::move(reply)](const Result<Answer>& answer) {
        reply(answer ? ToResponse(*answer)
                     : Refuse(answer.error().code, version));
      });
}

}  // namespace tidemark::server
