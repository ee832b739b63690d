#include "broker/kafka/handlers/cluster_view.h"

#include <algorithm>

#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

constexpr Duration kPoll = std::chrono::milliseconds(2);

struct ImageWait {
  RequestContext context;
  Instant deadline;
  std::function<bool(const metadata::Image&)> holds;
  std::function<void()> then;
};

void Poll(const std::shared_ptr<ImageWait>& wait) {
  if (wait->context.executor->Now() >= wait->deadline ||
      wait->holds(*wait->context.services->metadata->Get())) {
    return wait->then();
  }
  wait->context.executor->PostAfter(kPoll, [wait] { Poll(wait); });
}

}  // namespace

bool IsInternalTopic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state";
}

bool IsLegalTopicName(std::string_view name) {
  constexpr size_t kMaxLength = 249;
  if (name.empty() || name.size() > kMaxLength || name == "." || name == "..") {
    return false;
  }
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

const metadata::EndpointImage* LiveEndpoint(const metadata::Image& image,
                                            NodeId broker,
                                            const std::string& listener) {
  const metadata::BrokerImage* found = image.FindBroker(broker);
  if (found == nullptr || found->fenced) return nullptr;
  return found->FindEndpoint(listener);
}

NodeId AdminBroker(const metadata::Image& image, NodeId self,
                   const std::string& listener) {
  if (LiveEndpoint(image, self, listener) != nullptr) return self;
  for (const auto& [id, broker] : image.brokers()) {
    if (LiveEndpoint(image, id, listener) != nullptr) return id;
  }
  return kNoNode;
}

std::vector<int32_t> OfflineReplicas(const metadata::Image& image,
                                     const std::vector<NodeId>& replicas,
                                     const std::string& listener) {
  std::vector<int32_t> offline;
  for (NodeId replica : replicas) {
    if (LiveEndpoint(image, replica, listener) == nullptr) {
      offline.push_back(replica);
    }
  }
  return offline;
}

std::optional<std::string> NullableMessage(const std::string& message) {
  constexpr size_t kLongest = 4096;
  if (message.empty()) return std::nullopt;
  return message.substr(0, kLongest);
}

void WaitForImage(const RequestContext& context, Duration limit,
                  std::function<bool(const metadata::Image&)> holds,
                  std::function<void()> then) {
  auto wait = std::make_shared<ImageWait>(
      ImageWait{context, context.executor->Now() + limit, std::move(holds),
                std::move(then)});
  context.executor->Post([wait] { Poll(wait); });
}

}  // namespace tidemark::server
