#include "common/kafka/messages/delete_topics.h"

#include <algorithm>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/controller_client.h"
#include "common/base/utf8.h"

namespace tidemark::server {
namespace {

using Request = kafka::DeleteTopicsRequest;
using Response = kafka::DeleteTopicsResponse;
using Wanted = Request::DeleteTopicState;
using Outcome = Response::DeletableTopicResult;

struct Deletion {
  RequestContext context;
  std::vector<Wanted> wanted;
  Reply<Response> reply;
};

Outcome OutcomeOf(const Wanted& wanted, ErrorCode code,
                  const std::string& message) {
  Outcome outcome;
  outcome.name = wanted.name;
  outcome.topic_id = wanted.topic_id;
  outcome.error_code = Code(code);
  outcome.error_message = NullableMessage(message);
  return outcome;
}

void AnswerAll(const Deletion& deletion, const Error& error) {
  Response response;
  for (const Wanted& wanted : deletion.wanted) {
    response.responses.push_back(OutcomeOf(wanted, error.code, error.message));
  }
  deletion.reply(std::move(response));
}

bool Matches(const Wanted& wanted,
             const admin::v1::DeleteTopicsResponse::Topic& topic) {
  if (wanted.topic_id.IsZero()) return wanted.name == topic.name();
  return topic.topic_id() == wanted.topic_id.ToBytes();
}

void OnAnswer(const std::shared_ptr<Deletion>& deletion,
              const Result<admin::v1::DeleteTopicsResponse>& answer) {
  if (!answer) return AnswerAll(*deletion, answer.error());
  Response response;
  std::vector<Uuid> gone;
  for (const Wanted& wanted : deletion->wanted) {
    if (!IsUtf8(wanted.name.value_or(""))) {  // was not asked for
      response.responses.push_back(
          OutcomeOf(wanted, ErrorCode::kUnknownTopicOrPartition, ""));
      continue;
    }
    const auto found = std::ranges::find_if(
        answer->topics(),
        [&](const auto& topic) { return Matches(wanted, topic); });
    if (found == answer->topics().end()) {
      response.responses.push_back(
          OutcomeOf(wanted, ErrorCode::kUnknownServerError, ""));
      continue;
    }
    Outcome outcome = OutcomeOf(wanted, static_cast<ErrorCode>(found->code()),
                                found->message());
    if (found->code() == 0) {
      outcome.name = found->name();
      outcome.topic_id = Uuid::FromBytes(found->topic_id()).value_or(Uuid{});
      gone.push_back(outcome.topic_id);
    }
    response.responses.push_back(std::move(outcome));
  }
  WaitForImage(
      deletion->context, kImageWait,
      [gone](const metadata::Image& image) {
        return std::ranges::none_of(gone, [&](const Uuid& id) {
          return !id.IsZero() && image.FindTopic(id) != nullptr;
        });
      },
      [deletion, response = std::move(response)] {
        deletion->reply(response);
      });
}

}  // namespace

void HandleDeleteTopics(RequestContext context, Request request,
                        Reply<Response> reply) {
  constexpr int16_t kDisabledSince = 3;
  auto deletion = std::make_shared<Deletion>(Deletion{
      std::move(context), std::move(request.topics), std::move(reply)});
  for (std::string& name : request.topic_names) {
    deletion->wanted.push_back({std::move(name), Uuid{}});
  }
  const Services& services = *deletion->context.services;
  if (!services.config->raw().GetBool("delete.topic.enable")) {
    return AnswerAll(*deletion,
                     {deletion->context.version < kDisabledSince
                          ? ErrorCode::kInvalidRequest
                          : ErrorCode::kTopicDeletionDisabled,
                      "delete.topic.enable is false on this broker."});
  }
  admin::v1::DeleteTopicsRequest ask;
  for (const Wanted& wanted : deletion->wanted) {
    if (!wanted.topic_id.IsZero()) {
      ask.add_topic_ids(wanted.topic_id.ToBytes());
    } else if (IsUtf8(wanted.name.value_or(""))) {
      ask.add_names(wanted.name.value_or(""));
    }
  }
  services.controller->DeleteTopics(
      std::move(ask), AdminTimeout(request.timeout_ms),
      [deletion](Result<admin::v1::DeleteTopicsResponse> answer) {
        OnAnswer(deletion, answer);
      });
}

}  // namespace tidemark::server
