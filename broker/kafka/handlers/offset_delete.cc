#include "common/kafka/messages/offset_delete.h"

#include "broker/kafka/handlers/group_common.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Response = kafka::OffsetDeleteResponse;

// A deletion on its way: what goes to the coordinator, and where in the
// response each of its partitions stands.
struct Deletion {
  coordinator::DeleteOffsetsRequest request;
  Response response;
  std::vector<std::pair<size_t, size_t>> places;
};

Deletion FromKafka(const metadata::Image& image,
                   kafka::OffsetDeleteRequest request) {
  Deletion out;
  out.request.group_id = std::move(request.group_id);
  for (const auto& topic : request.topics) {
    auto& to = out.response.topics.emplace_back();
    to.name = topic.name;
    for (const auto& p : topic.partitions) {
      ErrorCode error = ErrorCode::kUnknownTopicOrPartition;
      if (image.FindPartition(topic.name, p.partition_index) != nullptr) {
        error = ErrorCode::kNone;
        out.places.emplace_back(out.response.topics.size() - 1,
                                to.partitions.size());
        out.request.partitions.push_back({topic.name, p.partition_index});
      }
      to.partitions.push_back({p.partition_index, ErrorField(error)});
    }
  }
  return out;
}

}  // namespace

void HandleOffsetDelete(RequestContext context,
                        kafka::OffsetDeleteRequest request,
                        Reply<Response> reply) {
  Deletion deletion =
      FromKafka(*context.services->metadata->Get(), std::move(request));
  context.services->groups->DeleteOffsets(
      std::move(deletion.request),
      [response = std::move(deletion.response),
       places = std::move(deletion.places), reply = std::move(reply)](
          const coordinator::DeleteOffsetsResult& result) mutable {
        if (result.error != ErrorCode::kNone) {
          Response refused;
          refused.error_code = ErrorField(result.error);
          return reply(std::move(refused));
        }
        for (size_t i = 0; i < places.size(); ++i) {
          const auto [topic, partition] = places[i];
          response.topics[topic].partitions[partition].error_code =
              ErrorField(result.partitions[i]);
        }
        reply(std::move(response));
      });
}

}  // namespace tidemark::server
