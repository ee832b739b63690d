#pragma once

#include <string_view>
#include <type_traits>
#include <utility>

#include "broker/kafka/access.h"
#include "broker/kafka/handler.h"
#include "broker/kafka/network_metrics.h"
#include "broker/kafka/responder.h"
#include "broker/kafka/rights.h"
#include "common/kafka/codec.h"

namespace tidemark::server {

// One row of the handler table.
struct Api {
  using Call = void (*)(const Api& api, RequestContext context,
                        const SharedBytes& body, Responder responder,
                        NetworkMetrics& metrics);
  kafka::ApiKey key;
  kafka::ApiVersionRange advertised;
  kafka::ApiVersionRange served;
  Call call;
  Access access;
  bool guarded = false;  // its guard asks for the rights

  // Lists versions that are not served: librdkafka up to 2.10 looks for
  // Produce 0 before it compresses (KAFKA-18659).
  constexpr Api AdvertisedFrom(int16_t version) const {
    Api api = *this;
    api.advertised.min = version;
    return api;
  }
};

// Counts the request as malformed and says so in the log, rate-limited.
void ReportMalformed(const RequestContext& context, std::string_view reason,
                     NetworkMetrics& metrics);

// Sends an answer; where there is none to send, says why and closes.
void Send(const Responder& responder, Result<kafka::EncodedFrame> frame);

// The answer to a request that its cluster right is missing for.
template <class Response>
Response RefusedByCluster() {
  Response response;
  response.error_code =
      static_cast<int16_t>(ErrorCode::kClusterAuthorizationFailed);
  if constexpr (requires { response.error_message; }) {
    response.error_message = "Cluster authorization failed.";
  }
  return response;
}

namespace internal {

// Functions are compared by what is made of them: the sanitizers take away that
// their addresses are constants.
template <auto Function>
struct Of {};

template <auto Handler, auto Guard>
struct Glue;

template <class Request, class Response,
          void (*Handler)(RequestContext, Request, Reply<Response>),
          void (*Guard)(RequestContext, Request, Reply<Response>)>
struct Glue<Handler, Guard> {
  using RequestType = Request;
  static constexpr bool kGuarded = !std::is_same_v<Of<Handler>, Of<Guard>>;
  static constexpr bool kHasError = requires(Response r) { r.error_code; };

  // acks=0 gets no answer; an error then closes the connection, which is the
  // only way left to tell the producer.
  static bool IsSilent(const Request& request) {
    if constexpr (requires { request.acks; }) {
      return request.acks == 0;
    } else {
      return false;
    }
  }

  static bool HasError(const Response& response) {
    if constexpr (requires { response.responses[0].partition_responses; }) {
      for (const auto& topic : response.responses) {
        for (const auto& partition : topic.partition_responses) {
          if (partition.error_code != 0) return true;
        }
      }
    }
    return false;
  }

  // To whom the request goes, or the answer that it may not.
  static void Serve(const Api& api, RequestContext context, Request request,
                    Reply<Response> reply) {
    if (context.rights == nullptr) {
      return Handler(std::move(context), std::move(request), std::move(reply));
    }
    // What nobody would ask for is refused: without a place to say it in, by
    // the end of the connection.
    if (!kGuarded && api.access.resource != AclResource::kAny &&
        !(api.access.resource == AclResource::kCluster &&
          context.rights->MayCluster(api.access.operation))) {
      if constexpr (kHasError) {
        return reply(RefusedByCluster<Response>());
      }
      return;
    }
    Guard(std::move(context), std::move(request), std::move(reply));
  }

  static void Call(const Api& api, RequestContext context,
                   const SharedBytes& body, Responder responder,
                   NetworkMetrics& metrics) {
    size_t elements = 0;
    auto request =
        kafka::DecodeRequest<Request>(body, context.version, &elements);
    if (context.memory != nullptr) context.memory->Charge(elements);
    if (!request) {
      ReportMalformed(context, request.error().message, metrics);
      responder.Close();
      return;
    }
    auto reply = [silent = IsSilent(*request), version = context.version,
                  correlation_id = context.correlation_id,
                  key = context.api_key, received = context.received,
                  responder = std::move(responder),
                  &metrics](Response response) {
      metrics.Observe(key, SystemClock().Now() - received);
      if (!silent) {
        Send(responder,
             kafka::EncodeAnswer(std::move(response), version, correlation_id));
      } else if (HasError(response)) {
        responder.Close();
      } else {
        responder.SendNothing();
      }
    };
    Serve(api, std::move(context), std::move(*request), std::move(reply));
  }
};

}  // namespace internal

// The row of one handler; key and versions are those of its messages. `Guard`
// stands in front of it where there is an authorizer: it asks for the rights
// that the request needs, and gives the handler as much of it as is allowed.
template <auto Handler, auto Guard = Handler>
consteval Api MakeApi(Access access = {}) {
  using Glue = internal::Glue<Handler, Guard>;
  using Request = typename Glue::RequestType;
  // Nobody would ask for the right.
  if (access.resource == AclResource::kCluster && !Glue::kGuarded &&
      !Glue::kHasError) {
    throw "an answer without an error needs a guard";
  }
  constexpr kafka::ApiVersionRange kRange{
      Request::kMinVersion, Request::kMaxVersion, Request::kFirstFlexible};
  return Api{Request::kKey, kRange,
             kRange,        &internal::Glue<Handler, Guard>::Call,
             access,        internal::Glue<Handler, Guard>::kGuarded};
}

}  // namespace tidemark::server
