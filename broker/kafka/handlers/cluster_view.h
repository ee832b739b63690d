#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "broker/kafka/handler.h"
#include "common/base/error_code.h"
#include "common/metadata/image.h"

namespace tidemark::server {

// What several handlers say about the cluster, as seen by one client.

// No authorizer: everything is allowed, in Kafka's bits of AclOperation.
inline constexpr int32_t kAllTopicOperations = 0xdf8;
inline constexpr int32_t kAllClusterOperations = 0x1fa0;

inline int16_t Code(ErrorCode code) { return static_cast<int16_t>(code); }

// Topics that clients may not write to and regex consumers skip.
bool IsInternalTopic(std::string_view name);
// Kafka's rule: 1 to 249 of [a-zA-Z0-9._-], not "." or "..".
bool IsLegalTopicName(std::string_view name);

// A registered, unfenced broker that has the client's listener; nullptr when
// there is none.
const metadata::EndpointImage* LiveEndpoint(const metadata::Image& image,
                                            NodeId broker,
                                            const std::string& listener);
// Where clients send admin requests: every broker takes them, so this one,
// unless it is not alive (yet). kNoNode when nobody is.
NodeId AdminBroker(const metadata::Image& image, NodeId self,
                   const std::string& listener);
// Replicas whose broker is not alive.
std::vector<int32_t> OfflineReplicas(const metadata::Image& image,
                                     const std::vector<NodeId>& replicas,
                                     const std::string& listener);

// "" is no message at all.
std::optional<std::string> NullableMessage(const std::string& message);

// Runs `then` on the request's executor when `holds` does or `limit` has
// passed. Kafka's clients take a topic for usable as soon as its creation is
// answered, so the answer waits for this broker's own image.
void WaitForImage(const RequestContext& context, Duration limit,
                  std::function<bool(const metadata::Image&)> holds,
                  std::function<void()> then);

}  // namespace tidemark::server
