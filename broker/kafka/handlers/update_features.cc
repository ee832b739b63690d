#include "common/kafka/messages/update_features.h"

#include <algorithm>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/controller_client.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

using Request = kafka::UpdateFeaturesRequest;
using Response = kafka::UpdateFeaturesResponse;
using Ask = admin::v1::UpdateFeaturesRequest;
using Answer = admin::v1::UpdateFeaturesResponse;

Ask::Kind KindOf(const Request::FeatureUpdateKey& update, int16_t version) {
  if (version == 0) {
    // Down only if it is lower (KIP-584), which the controllers know.
    return update.allow_downgrade ? Ask::SAFE_DOWNGRADE : Ask::UPGRADE;
  }
  switch (update.upgrade_type) {
    case 1:
      return Ask::UPGRADE;
    case 2:
      return Ask::SAFE_DOWNGRADE;
    case 3:
      return Ask::UNSAFE_DOWNGRADE;
    default:
      return Ask::UNKNOWN;
  }
}

// All or none, so the first failure is that of all.
Response ToResponse(const Request& request, const Result<Answer>& answer) {
  Response response;
  if (!answer) {
    response.error_code = Code(answer.error().code);
    response.error_message = NullableMessage(answer.error().message);
    return response;
  }
  for (const auto& result : answer->results()) {
    if (result.code() == 0) continue;
    response.error_code = static_cast<int16_t>(result.code());
    response.error_message = NullableMessage(result.message());
    return response;
  }
  for (const auto& update : request.feature_updates) {
    response.results.emplace_back().feature = update.feature;
  }
  return response;
}

}  // namespace

void HandleUpdateFeatures(RequestContext context, Request request,
                          Reply<Response> reply) {
  Ask ask;
  ask.set_validate_only(request.validate_only);
  for (const auto& update : request.feature_updates) {
    if (!IsUtf8(update.feature)) {
      return reply(ToResponse(request, Fail(ErrorCode::kInvalidRequest,
                                            "a feature's name is text")));
    }
    auto* to = ask.add_updates();
    to->set_name(update.feature);
    to->set_level(update.max_version_level);
    to->set_kind(KindOf(update, context.version));
  }
  auto* controller = context.services->controller;
  const Duration timeout = AdminTimeout(request.timeout_ms);
  auto done = [context, request = std::move(request),
               reply = std::move(reply)](Result<Answer> answer) {
    Response response = ToResponse(request, answer);
    const bool changed = response.error_code == 0 && !request.validate_only;
    WaitForImage(
        context, kImageWait,
        [changed, request](const metadata::Image& image) {
          return !changed ||
                 std::ranges::all_of(
                     request.feature_updates, [&](const auto& update) {
                       return image.features().LevelOf(update.feature) ==
                              update.max_version_level;
                     });
        },
        [reply, response = std::move(response)] { reply(response); });
  };
  controller->UpdateFeatures(std::move(ask), timeout, std::move(done));
}

}  // namespace tidemark::server
