#include "broker/coordinator/internal_topic.h"

#include <glog/logging.h>

#include <algorithm>

namespace tidemark::coordinator {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(10);

// One code point; advances `at`. U+FFFD and one byte for malformed input.
char32_t NextCodePoint(std::string_view utf8, size_t& at) {
  const auto byte = [&](size_t i) {
    return i < utf8.size() ? static_cast<uint8_t>(utf8[i]) : uint8_t{0};
  };
  const uint8_t lead = byte(at);
  const int extra = lead < 0x80             ? 0
                    : (lead & 0xe0) == 0xc0 ? 1
                    : (lead & 0xf0) == 0xe0 ? 2
                    : (lead & 0xf8) == 0xf0 ? 3
                                            : -1;
  char32_t code = extra < 0    ? 0xfffd
                  : extra == 0 ? lead
                               : lead & (0x3f >> extra);
  for (int i = 1; i <= extra; ++i) {
    const uint8_t next = byte(at + static_cast<size_t>(i));
    if ((next & 0xc0) != 0x80) {
      ++at;
      return 0xfffd;
    }
    code = code << 6 | (next & 0x3f);
  }
  at += static_cast<size_t>(std::max(extra, 0)) + 1;
  return code;
}

}  // namespace

int32_t JavaHash(std::string_view utf8) {
  uint32_t hash = 0;
  const auto add = [&](uint32_t unit) { hash = hash * 31 + unit; };
  for (size_t at = 0; at < utf8.size();) {
    const char32_t code = NextCodePoint(utf8, at);
    if (code < 0x10000) {
      add(code);
    } else {  // Java hashes UTF-16
      add(0xd800 + ((code - 0x10000) >> 10));
      add(0xdc00 + ((code - 0x10000) & 0x3ff));
    }
  }
  return static_cast<int32_t>(hash);
}

PartitionIndex PartitionOf(std::string_view key, int32_t partitions) {
  // Kafka's Utils.abs, where abs(MIN_VALUE) is 0.
  const int32_t hash = JavaHash(key);
  const int32_t positive = hash == INT32_MIN ? 0 : std::abs(hash);
  return positive % partitions;
}

void InternalTopic::Create(const metadata::Image& image) {
  const auto& brokers = image.brokers();
  const auto alive =
      std::count_if(brokers.begin(), brokers.end(),
                    [](const auto& b) { return !b.second->fenced; });
  const int16_t factor = config_.replication_factor;
  if (alive < factor) {
    LOG_EVERY_T(WARNING, 10)
        << "topic=" << name() << " waits for brokers=" << factor
        << " alive=" << alive << "; a smaller cluster sets "
        << config_.factor_setting;
    return;
  }
  {
    std::lock_guard lock(state_->mutex);
    if (std::exchange(state_->in_flight, true)) return;
  }
  admin::v1::CreateTopicsRequest request;
  admin::v1::NewTopic* topic = request.add_topics();
  topic->set_name(name());
  topic->set_partitions(config_.partitions);
  topic->set_replication_factor(factor);
  auto& configs = *topic->mutable_configs();
  configs["cleanup.policy"] = "compact";
  configs["compression.type"] = "producer";
  configs["segment.bytes"] = std::to_string(config_.segment_bytes);
  if (config_.min_isr > 0) {
    configs["min.insync.replicas"] = std::to_string(config_.min_isr);
  }
  LOG(INFO) << "creating topic=" << name()
            << " partitions=" << config_.partitions
            << " replication_factor=" << factor;
  controller_.CreateTopics(
      std::move(request), kTimeout,
      [state = state_,
       name = name()](Result<admin::v1::CreateTopicsResponse> result) {
        {
          std::lock_guard lock(state->mutex);
          state->in_flight = false;
        }
        if (!result) {
          LOG(WARNING) << "cannot create topic=" << name
                       << " error=" << ToString(result.error());
          return;
        }
        for (const auto& t : result->topics()) {
          const auto code = static_cast<ErrorCode>(t.code());
          if (code != ErrorCode::kNone &&
              code != ErrorCode::kTopicAlreadyExists)
            LOG(WARNING) << "cannot create topic=" << name
                         << " error=" << ErrorName(code) << " " << t.message();
        }
      });
}

CoordinatorLocation LocateCoordinator(const metadata::Image& image,
                                      InternalTopic& topic,
                                      std::string_view what,
                                      std::string_view key,
                                      const std::string& listener) {
  const auto unavailable = [&](const std::string& why) {
    return CoordinatorLocation{
        .error = ErrorCode::kCoordinatorNotAvailable,
        .message = "The " + std::string(what) +
                   " coordinator is not available: " + why};
  };
  const metadata::TopicImage* rows = image.FindTopic(topic.name());
  if (rows == nullptr || rows->partitions.size() == 0) {
    topic.Create(image);
    return unavailable(topic.name() + " is being created.");
  }
  const auto* partition = image.FindPartition(
      topic.name(),
      PartitionOf(key, static_cast<int32_t>(rows->partitions.size())));
  const metadata::BrokerImage* broker =
      partition ? image.FindBroker(partition->leader) : nullptr;
  const metadata::EndpointImage* endpoint =
      broker ? broker->FindEndpoint(listener) : nullptr;
  if (!endpoint) {
    return unavailable("its partition of " + topic.name() +
                       " has no leader on listener " + listener + ".");
  }
  return {.node = broker->id, .host = endpoint->host, .port = endpoint->port};
}

}  // namespace tidemark::coordinator
