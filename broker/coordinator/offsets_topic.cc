#include "broker/coordinator/offsets_topic.h"

#include <glog/logging.h>

#include <algorithm>

namespace tidemark::coordinator {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(10);

}  // namespace

void OffsetsTopic::Create(const metadata::Image& image) {
  const auto& brokers = image.brokers();
  const auto alive =
      std::count_if(brokers.begin(), brokers.end(),
                    [](const auto& b) { return !b.second->fenced; });
  const int16_t factor = config_.replication_factor;
  if (alive < factor) {
    LOG_EVERY_T(WARNING, 10)
        << "topic=" << kOffsetsTopic << " waits for brokers=" << factor
        << " alive=" << alive
        << "; a smaller cluster sets offsets.topic.replication.factor";
    return;
  }
  {
    std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->in_flight, true)) return;
  }
  admin::v1::CreateTopicsRequest request;
  admin::v1::NewTopic* topic = request.add_topics();
  topic->set_name(kOffsetsTopic);
  topic->set_partitions(config_.partitions);
  topic->set_replication_factor(factor);
  auto& configs = *topic->mutable_configs();
  configs["cleanup.policy"] = "compact";
  configs["compression.type"] = "producer";
  configs["segment.bytes"] = std::to_string(config_.segment_bytes);
  LOG(INFO) << "creating topic=" << kOffsetsTopic
            << " partitions=" << config_.partitions
            << " replication_factor=" << factor;
  controller_.CreateTopics(
      std::move(request), kTimeout,
      [state = state_](Result<admin::v1::CreateTopicsResponse> result) {
        {
          std::lock_guard lock(state->mutex);
          state->in_flight = false;
        }
        if (!result) {
          LOG(WARNING) << "cannot create topic=" << kOffsetsTopic
                       << " error=" << ToString(result.error());
          return;
        }
        for (const auto& t : result->topics()) {
          const auto code = static_cast<ErrorCode>(t.code());
          if (code != ErrorCode::kNone &&
              code != ErrorCode::kTopicAlreadyExists)
            LOG(WARNING) << "cannot create topic=" << kOffsetsTopic
                         << " error=" << ErrorName(code) << " " << t.message();
        }
      });
}

}  // namespace tidemark::coordinator
