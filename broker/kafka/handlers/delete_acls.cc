#include "common/kafka/messages/delete_acls.h"

#include <algorithm>

#include "broker/kafka/handlers/acl_messages.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/kafka/handlers/handlers.h"
#include "broker/metadata/controller_client.h"
#include "common/metadata/acl_messages.h"

namespace tidemark::server {
namespace {

using Request = kafka::DeleteAclsRequest;
using Response = kafka::DeleteAclsResponse;
using Answer = admin::v1::DeleteAclsResponse;
using metadata::Acl;

constexpr Duration kTimeout = std::chrono::seconds(30);

struct Deletion {
  Response response;
  std::vector<size_t> asked;  // of the results, in the order of the request
  std::vector<Acl> acls;      // that are gone
};

Response::DeleteAclsMatchingAcl ToKafka(const Acl& acl) {
  Response::DeleteAclsMatchingAcl out;
  out.resource_type = static_cast<int8_t>(acl.resource.type);
  out.resource_name = acl.resource.name;
  out.pattern_type = static_cast<int8_t>(acl.resource.pattern);
  out.principal = acl.principal;
  out.host = acl.host;
  out.operation = static_cast<int8_t>(acl.operation);
  out.permission_type = static_cast<int8_t>(acl.permission);
  return out;
}

void Take(const Result<Answer>& answer, Deletion* deletion) {
  for (size_t i = 0; i < deletion->asked.size(); ++i) {
    auto& result = deletion->response.filter_results[deletion->asked[i]];
    const int at = static_cast<int>(i);
    if (!answer) {
      result.error_code = Code(answer.error().code);
      result.error_message = NullableMessage(answer.error().message);
      continue;
    }
    if (at >= answer->results_size()) {
      result.error_code = Code(ErrorCode::kUnknownServerError);
      continue;
    }
    const auto& from = answer->results(at);
    result.error_code = static_cast<int16_t>(from.code());
    result.error_message = NullableMessage(from.message());
    for (const auto& message : from.acls()) {
      Acl acl = metadata::FromMessage(message);
      result.matching_acls.push_back(ToKafka(acl));
      deletion->acls.push_back(std::move(acl));
    }
  }
}

}  // namespace

void HandleDeleteAcls(RequestContext context, Request request,
                      Reply<Response> reply) {
  auto deletion = std::make_shared<Deletion>();
  admin::v1::DeleteAclsRequest ask;
  for (const auto& wanted : request.filters) {
    auto& result = deletion->response.filter_results.emplace_back();
    const metadata::AclFilter filter = FilterOf(wanted);
    Status checked = metadata::CheckFilter(filter);
    if (context.services->authorizer == nullptr) {
      checked = Fail(ErrorCode::kSecurityDisabled, kNoAuthorizer);
    } else if (checked && !IsText(wanted)) {
      continue;  // nothing is called so
    }
    if (!checked) {
      result.error_code = Code(checked.error().code);
      result.error_message = NullableMessage(checked.error().message);
      continue;
    }
    metadata::ToMessage(filter, ask.add_filters());
    deletion->asked.push_back(deletion->response.filter_results.size() - 1);
  }
  if (ask.filters().empty()) return reply(std::move(deletion->response));
  ControllerClient* const controller = context.services->controller;
  controller->DeleteAcls(
      std::move(ask), kTimeout,
      [context = std::move(context), deletion,
       reply = std::move(reply)](const Result<Answer>& answer) {
        Take(answer, deletion.get());
        WaitForImage(
            context, kImageWait,
            [deletion](const metadata::Image& image) {
              return std::ranges::none_of(deletion->acls, [&](const Acl& acl) {
                return image.acls().contains(acl);
              });
            },
            [deletion, reply] { reply(std::move(deletion->response)); });
      });
}

}  // namespace tidemark::server
