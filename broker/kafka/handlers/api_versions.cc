#include "common/kafka/messages/api_versions.h"

#include <algorithm>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/table.h"
#include "broker/metadata/image_holder.h"
#include "common/base/utf8.h"

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

// KIP-584. Clients before version 4 take a lowest level of 0 for an error.
void AddFeatures(const metadata::Image& image, int16_t version,
                 kafka::ApiVersionsResponse* out) {
  constexpr int16_t kZeroSince = 4;
  for (const metadata::Feature& feature : metadata::Features()) {
    const auto& [min, max] = feature.supported;
    if (min > 0 || version >= kZeroSince) {
      out->supported_features.push_back({feature.name, min, max});
    }
    const int16_t level = image.features().LevelOf(feature.name);
    if (level > 0) {
      out->finalized_features.push_back({feature.name, level, level});
    }
  }
  out->finalized_features_epoch = image.offset();
}

}  // namespace

void HandleApiVersions(RequestContext context,
                       kafka::ApiVersionsRequest request,
                       Reply<kafka::ApiVersionsResponse> reply) {
  constexpr int16_t kNamesSince = 3;
  constexpr size_t kLongest = 100;
  kafka::ApiVersionsResponse response;
  if (context.version >= kNamesSince &&
      (!IsSoftwareName(request.client_software_name) ||
       !IsSoftwareName(request.client_software_version))) {
    response.error_code = Code(ErrorCode::kInvalidRequest);
    return reply(std::move(response));
  }
  if (context.version >= kNamesSince && context.software != nullptr) {
    context.software->name = CutUtf8(request.client_software_name, kLongest);
    context.software->version =
        CutUtf8(request.client_software_version, kLongest);
  }
  for (const Api& api : HandlerTable()) {
    auto& range = response.api_keys.emplace_back();
    range.api_key = static_cast<int16_t>(api.key);
    range.min_version = api.advertised.min;
    range.max_version = api.advertised.max;
  }
  if (context.version >= kNamesSince) {
    AddFeatures(*context.services->metadata->Get(), context.version, &response);
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
