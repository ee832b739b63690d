#include "broker/kafka/dispatcher.h"

#include <glog/logging.h>

#include "broker/metadata/image_holder.h"
#include "common/kafka/header.h"
#include "common/kafka/messages/api_versions.h"
#include "common/kafka/printer.h"

namespace tidemark::server {
namespace {

void AnswerUnknownApiVersions(const Api& api, int32_t correlation_id,
                              const Responder& responder) {
  kafka::ApiVersionsResponse response;
  response.error_code = static_cast<int16_t>(ErrorCode::kUnsupportedVersion);
  auto& range = response.api_keys.emplace_back();
  range.api_key = static_cast<int16_t>(api.key);
  range.min_version = api.advertised.min;
  range.max_version = api.advertised.max;
  Send(responder, kafka::EncodeResponse(response, 0, correlation_id));
}

}  // namespace

void Send(const Responder& responder, Result<kafka::EncodedFrame> frame) {
  if (frame) return responder.Send(std::move(*frame));
  LOG_EVERY_T(ERROR, 1) << "closing a connection: its answer cannot be sent: "
                        << frame.error().message;
  responder.Close();
}

void ReportMalformed(const RequestContext& context, std::string_view reason,
                     NetworkMetrics& metrics) {
  metrics.malformed.fetch_add(1, std::memory_order_relaxed);
  LOG_EVERY_T(WARNING, 1) << "closing a connection client="
                          << context.client_host
                          << " principal=" << kafka::Quoted(context.principal)
                          << " listener=" << context.listener
                          << " api_key=" << context.api_key
                          << " version=" << context.version
                          << " client_id=" << kafka::Quoted(context.client_id)
                          << " reason=\"" << reason << '"';
}

Dispatcher::Dispatcher(std::span<const Api> table, const Services& services,
                       NetworkMetrics& metrics)
    : services_(services), metrics_(metrics) {
  for (const Api& api : table) {
    const auto key = static_cast<int16_t>(api.key);
    CHECK(key >= 0 && key <= kMaxApiKey);
    CHECK(by_key_[static_cast<size_t>(key)] == nullptr)
        << kafka::ApiName(api.key) << " is listed twice";
    by_key_[static_cast<size_t>(key)] = &api;
  }
}

void Dispatcher::Dispatch(RequestContext context, SharedBytes frame,
                          Responder responder) const {
  auto request = kafka::DecodeRequestHeader(frame);
  if (!request) {
    ReportMalformed(context, "no request header: " + request.error().message,
                    metrics_);
    return responder.Close();
  }
  context.api_key = static_cast<int16_t>(request->header.api_key);
  context.version = request->header.api_version;
  context.correlation_id = request->header.correlation_id;
  context.client_id = request->header.client_id.value_or("");
  context.frame = std::move(frame);
  context.services = &services_;
  const Api* api = context.api_key >= 0 && context.api_key <= kMaxApiKey
                       ? by_key_[static_cast<size_t>(context.api_key)]
                       : nullptr;
  if (api == nullptr) {
    ReportMalformed(context, "no such API", metrics_);
    return responder.Close();
  }
  if (!api->served.Contains(context.version)) {
    if (api->key == kafka::ApiKey::kApiVersions) {
      return AnswerUnknownApiVersions(*api, context.correlation_id, responder);
    }
    ReportMalformed(context, "version not served", metrics_);
    return responder.Close();
  }
  if (services_.authorizer != nullptr) {
    metadata::ImagePtr image = services_.metadata->Get();
    // Nobody knows the rules yet. A refusal would be final for many a client;
    // a connection that ends is tried again.
    if (image->offset() == 0 && api->access.quota != QuotaClass::kExempt) {
      return responder.Close();
    }
    context.rights = std::make_shared<const Rights>(
        *services_.authorizer, services_.audit, std::move(image), context);
  }
  api->call(*api, std::move(context), request->body, std::move(responder),
            metrics_);
}

}  // namespace tidemark::server
