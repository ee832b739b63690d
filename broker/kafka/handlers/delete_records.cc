#include "common/kafka/messages/delete_records.h"

#include <algorithm>
#include <map>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/kafka/handlers/group_common.h"
#include "broker/metadata/image_holder.h"
#include "broker/replication/replica_manager.h"

namespace tidemark::server {
namespace {

using Response = kafka::DeleteRecordsResponse;
using Outcome = Result<Offset>;

struct Deletion {
  TopicPartition partition;
  Offset before = 0;
  std::optional<ErrorCode> refused;
};

bool MayDelete(const Services& services, const metadata::Image& image,
               const std::string& topic) {
  const std::string policy =
      ResolveFor(services, image, topic, "cleanup.policy").value;
  return policy.find("delete") != std::string::npos;
}

// What says no, whatever the partition holds.
std::optional<ErrorCode> Refusal(const Services& services,
                                 const metadata::Image& image,
                                 const std::string& topic) {
  if (IsInternalTopic(topic)) return ErrorCode::kInvalidTopicException;
  if (image.FindTopic(topic) == nullptr) {
    return ErrorCode::kUnknownTopicOrPartition;
  }
  if (!MayDelete(services, image, topic)) return ErrorCode::kPolicyViolation;
  return std::nullopt;
}

// What a client does not know that asked where it must not.
Outcome Refused(ErrorCode code) { return Fail(code); }

Response ToResponse(const std::vector<Deletion>& deletions,
                    const std::vector<Outcome>& outcomes) {
  std::map<std::string, size_t> places;
  Response response;
  for (size_t i = 0; i < deletions.size(); ++i) {
    const TopicPartition& name = deletions[i].partition;
    const auto [place, added] =
        places.try_emplace(name.topic, response.topics.size());
    if (added) response.topics.push_back({name.topic, {}});
    auto& to = response.topics[place->second].partitions.emplace_back();
    to.partition_index = name.partition;
    to.low_watermark = outcomes[i] ? *outcomes[i] : -1;
    to.error_code = outcomes[i] ? 0 : Code(outcomes[i].error().code);
  }
  return response;
}

}  // namespace

void HandleDeleteRecords(RequestContext context,
                         kafka::DeleteRecordsRequest request,
                         Reply<Response> reply) {
  const metadata::ImagePtr image = context.services->metadata->Get();
  // Of a partition that is named twice the last counts, as with Kafka.
  std::map<TopicPartition, size_t> places;
  auto deletions = std::make_shared<std::vector<Deletion>>();
  for (const auto& topic : request.topics) {
    const auto refused = Refusal(*context.services, *image, topic.name);
    for (const auto& partition : topic.partitions) {
      TopicPartition name{topic.name, partition.partition_index};
      const auto [place, added] = places.try_emplace(name, deletions->size());
      if (added) deletions->push_back({std::move(name), 0, refused});
      (*deletions)[place->second].before = partition.offset;
    }
  }
  if (deletions->size() > kMaxGroupsInARequest) return;
  const Instant deadline =
      context.executor->Now() + AdminTimeout(request.timeout_ms);
  Gather<Outcome>::Run(
      deletions->size(),
      [deletions, reply = std::move(reply)](const std::vector<Outcome>& all) {
        reply(ToResponse(*deletions, all));
      },
      [context = std::move(context), deletions, deadline](
          size_t index, std::function<void(Outcome)> done) {
        const Deletion& one = (*deletions)[index];
        if (one.refused) return done(Refused(*one.refused));
        context.services->replicas->DeleteRecords(
            one.partition, one.before,
            std::max(Duration::zero(), deadline - context.executor->Now()),
            *context.executor, std::move(done));
      });
}

}  // namespace tidemark::server
