#include "common/kafka/messages/api_versions.h"

#include <algorithm>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/table.h"

namespace tidemark::server {
namespace {

// KIP-511: [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool IsSoftwareName(std::string_view text) {
  auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
  };
  return !text.empty() && alphanumeric(text.front()) &&
         alphanumeric(text.back()) && std::ranges::all_of(text, [&](char c) {
           return alphanumeric(c) || c == '-' || c == '.';
         });
}

}  // namespace

void HandleApiVersions(RequestContext context,
                       kafka::ApiVersionsRequest request,
                       Reply<kafka::ApiVersionsResponse> reply) {
  constexpr int16_t kNamesSince = 3;
  kafka::ApiVersionsResponse response;
  if (context.version >= kNamesSince &&
      (!IsSoftwareName(request.client_software_name) ||
       !IsSoftwareName(request.client_software_version))) {
    response.error_code = Code(ErrorCode::kInvalidRequest);
    return reply(std::move(response));
  }
  for (const Api& api : HandlerTable()) {
    auto& range = response.api_keys.emplace_back();
    range.api_key = static_cast<int16_t>(api.key);
    range.min_version = api.advertised.min;
    range.max_version = api.advertised.max;
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
