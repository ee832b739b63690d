// How the controller serves each call of the table: controller.h, calls.h.
#include "controller/service/calls.h"

#include <glog/logging.h>

#include <utility>

#include "controller/metadata/acl_decisions.h"
#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/config_decisions.h"
#include "controller/metadata/describe.h"
#include "controller/metadata/directory_decisions.h"
#include "controller/metadata/feature_decisions.h"
#include "controller/metadata/partition_decisions.h"
#include "controller/metadata/producer_id_decisions.h"
#include "controller/metadata/reassignment_decisions.h"
#include "controller/metadata/registration.h"
#include "controller/metadata/scram_decisions.h"
#include "controller/metadata/topic_decisions.h"
#include "controller/service/controller.h"

namespace tidemark::controller {
namespace {

// The broker that a request names.
template <class Request>
NodeId BrokerOf(const Request& request) {
  if constexpr (requires { request.broker_id(); }) return request.broker_id();
  return kNoNode;
}

template <class Request>
constexpr bool kAboutFeatures =
    std::is_same_v<Request, admin_v1::UpdateFeaturesRequest> ||
    std::is_same_v<Request, admin_v1::DescribeFeaturesRequest>;

}  // namespace

template <class Request>
void Controller::Call(const Request& request,
                      Reply<ResponseTo<Request>> reply) {
  constexpr Serving kServing = CallOf<Request>::kServing;
  if constexpr (kServing == Serving::kQuorum) {
    CallQuorum(request, std::move(reply));
  } else if constexpr (kServing == Serving::kDescribe) {
    if (Status fits = CheckSize(request); !fits) {
      return reply(Fail(fits.error()));
    }
    Read<ResponseTo<Request>>(std::move(reply), [this, request] {
      View view{*committed(), options_.settings};
      FeatureFacts features;
      if constexpr (kAboutFeatures<Request>) {
        features = Features();
        view.features = &features;
      }
      auto out = Describe(view, request);
      if constexpr (requires { out.set_active_controller(0); }) {
        out.set_active_controller(options_.self);
      }
      return out;
    });
  } else if constexpr (kServing == Serving::kDecideOnce) {
    DecideOnce(request, std::move(reply));
  } else {
    if (!active_) return reply(Fail(NotActive()));
    if constexpr (requires { request.refusing_brokers(); }) Listen(request);
    Result<Decision<ResponseTo<Request>>> decision =
        Decide(ViewFor(BrokerOf(request)), request);
    if (!decision) return reply(Fail(decision.error()));
    Answer(request, std::move(*decision), std::move(reply));
  }
}

View Controller::ViewFor(NodeId broker) {
  View view{*ledger_.pending(), options_.settings};
  view.random = &random_;
  if (fencing_) view.leaving = &fencing_->brokers;
  if (broker != kNoNode) {
    view.broker = watch_.FactsOf(broker, *ledger_.committed(),
                                 *ledger_.pending(), executor_->Now());
  }
  return view;
}

template <class Request>
void Controller::Answer(const Request& request,
                        Decision<ResponseTo<Request>> decision,
                        Reply<ResponseTo<Request>> reply) {
  const bool refused = decision.records.empty();
  Completion<ResponseTo<Request>> complete;
  if constexpr (std::is_same_v<Request, rpc_v1::RegisterRequest>) {
    // Answered with the epoch that the registration got.
    if (!refused) {
      watch_.Registering(request, *ledger_.pending());
      complete = Registered(request);
    }
  }
  Commit(
      std::move(decision.records), std::move(decision.effects),
      [complete = std::move(complete), response = std::move(decision.response),
       reply = std::move(reply)](Result<MetadataOffset> offset) mutable {
        if (!offset) return reply(Fail(offset.error()));
        if (complete) complete(&response);
        reply(std::move(response));
      });
}

template <class Request>
void Controller::DecideOnce(const Request& request,
                            Reply<ResponseTo<Request>> reply) {
  using Response = ResponseTo<Request>;
  if (!active_) return reply(Fail(NotActive()));
  const std::string call(Response::descriptor()->full_name());
  const auto id = Uuid::FromBytes(request.request_id());
  if (!request.request_id().empty() && (!id || id->IsZero())) {
    return reply(Fail(ErrorCode::kInvalidRequest,
                      "a request id is 16 bytes, not all of them zero"));
  }
  if (const auto* known =
          id ? ledger_.pending()->requests().Find(*id) : nullptr) {
    Decision<Response> again;
    if (known->call != call || !again.response.ParseFromString(known->answer)) {
      return reply(Fail(ErrorCode::kInvalidRequest,
                        "the request id was that of another call"));
    }
    return AnswerUnchanged<Response>(std::move(again.response), {},
                                     std::move(reply));
  }
  View view = ViewFor(BrokerOf(request));
  FeatureFacts features;
  if constexpr (kAboutFeatures<Request>) {
    features = Features();
    view.features = &features;
  }
  Result<Decision<Response>> decision = Decide(view, request);
  if (!decision) {
    return AnswerUnchanged<Response>(Fail(decision.error()), {},
                                     std::move(reply));
  }
  if (decision->records.empty()) {
    return AnswerUnchanged<Response>(std::move(decision->response),
                                     std::move(decision->effects),
                                     std::move(reply));
  }
  if (id) {
    auto* answer = decision->records.emplace_back().mutable_answer_request();
    answer->set_request_id(request.request_id());
    answer->set_call(call);
    answer->set_answer(decision->response.SerializeAsString());
    answer->set_time_ms(executor_->WallMs());
  }
  Answer(request, std::move(*decision), std::move(reply));
}

template <class Response>
void Controller::AnswerUnchanged(Result<Response> response, Effects effects,
                                 Reply<Response> reply) {
  Commit({}, std::move(effects),
         [this, response = std::move(response),
          reply = std::move(reply)](Result<MetadataOffset> offset) {
           if (!offset) return reply(Fail(offset.error()));
           quorum_->ReadIndex([this, response, reply](const Status& leads) {
             if (!leads) return reply(Fail(NotActive()));
             reply(response);
           });
         });
}

void Controller::Listen(const rpc_v1::HeartbeatRequest& request) {
  if (watch_.Heard(request, *ledger_.pending(), executor_->Now())) FenceLost();
}

Controller::Completion<rpc_v1::RegisterResponse> Controller::Registered(
    const rpc_v1::RegisterRequest& request) {
  return
      [this, id = request.broker_id(), incarnation = request.incarnation_id()](
          rpc_v1::RegisterResponse* response) {
        const metadata::BrokerImage* broker = committed()->FindBroker(id);
        // Another incarnation came right behind, or the broker was removed.
        if (broker == nullptr || broker->incarnation.ToBytes() != incarnation) {
          response->mutable_error()->set_code(
              static_cast<int32_t>(ErrorCode::kDuplicateBrokerRegistration));
          response->mutable_error()->set_message("registered again meanwhile");
          return;
        }
        watch_.Registered(*broker, executor_->Now());
        response->set_broker_epoch(broker->epoch);
        LOG(INFO) << "controller: registered broker=" << id
                  << " epoch=" << broker->epoch << " fenced=" << broker->fenced;
      };
}

template <class Response>
void Controller::Read(Reply<Response> reply, std::function<Response()> make) {
  if (!active_) return reply(Fail(NotActive()));
  quorum_->ReadIndex(
      [this, reply = std::move(reply), make = std::move(make)](Status status) {
        if (!status) return reply(Fail(NotActive()));
        reply(make());
      });
}

#define TM_BROKER_CALL(Name, How)                                      \
  template void Controller::Call(const rpc_v1::Name##Request& request, \
                                 Reply<rpc_v1::Name##Response> reply);
#define TM_ADMIN_CALL(Name, How)                                         \
  template void Controller::Call(const admin_v1::Name##Request& request, \
                                 Reply<admin_v1::Name##Response> reply);
TM_BROKER_CALLS(TM_BROKER_CALL)
TM_ADMIN_CALLS(TM_ADMIN_CALL)
#undef TM_ADMIN_CALL
#undef TM_BROKER_CALL

}  // namespace tidemark::controller
