#include "common/kafka/messages/create_acls.h"

#include <algorithm>

#include "broker/kafka/handlers/acl_messages.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/kafka/handlers/handlers.h"
#include "broker/metadata/controller_client.h"
#include "common/metadata/acl_messages.h"

namespace tidemark::server {
namespace {

using Request = kafka::CreateAclsRequest;
using Response = kafka::CreateAclsResponse;
using Answer = admin::v1::CreateAclsResponse;
using metadata::Acl;

constexpr Duration kTimeout = std::chrono::seconds(30);

Acl FromKafka(const Request::AclCreation& creation) {
  return {{static_cast<metadata::AclResource>(creation.resource_type),
           static_cast<metadata::AclPattern>(creation.resource_pattern_type),
           creation.resource_name},
          creation.principal,
          creation.host,
          static_cast<metadata::AclOperation>(creation.operation),
          static_cast<metadata::AclPermission>(creation.permission_type)};
}

// Those that can be none are not sent on: their strings may be no text.
Status Check(const Acl& acl) {
  if (!IsUtf8(acl.resource.name) || !IsUtf8(acl.principal) ||
      !IsUtf8(acl.host)) {
    return Fail(ErrorCode::kInvalidRequest, "The name is not valid UTF-8.");
  }
  return metadata::CheckAcl(acl);
}

struct Creation {
  Response response;
  std::vector<size_t> asked;  // of the results, in the order of the request
  std::vector<Acl> acls;
};

void Take(const Result<Answer>& answer, Creation* creation) {
  for (size_t i = 0; i < creation->asked.size(); ++i) {
    auto& result = creation->response.results[creation->asked[i]];
    const int at = static_cast<int>(i);
    if (!answer) {
      result.error_code = Code(answer.error().code);
      result.error_message = NullableMessage(answer.error().message);
    } else if (at >= answer->results_size()) {
      result.error_code = Code(ErrorCode::kUnknownServerError);
    } else {
      result.error_code = static_cast<int16_t>(answer->results(at).code());
      result.error_message = NullableMessage(answer->results(at).message());
    }
    // What was refused is not waited for.
    if (result.error_code != 0) creation->acls[i] = {};
  }
  std::erase(creation->acls, Acl{});
}

}  // namespace

void HandleCreateAcls(RequestContext context, Request request,
                      Reply<Response> reply) {
  auto creation = std::make_shared<Creation>();
  admin::v1::CreateAclsRequest ask;
  for (const auto& wanted : request.creations) {
    auto& result = creation->response.results.emplace_back();
    Acl acl = FromKafka(wanted);
    const Status checked =
        context.services->authorizer == nullptr
            ? Fail(ErrorCode::kSecurityDisabled, kNoAuthorizer)
            : Check(acl);
    if (!checked) {
      result.error_code = Code(checked.error().code);
      result.error_message = NullableMessage(checked.error().message);
      continue;
    }
    metadata::ToMessage(acl, ask.add_acls());
    creation->asked.push_back(creation->response.results.size() - 1);
    creation->acls.push_back(std::move(acl));
  }
  if (ask.acls().empty()) return reply(std::move(creation->response));
  ControllerClient* const controller = context.services->controller;
  controller->CreateAcls(
      std::move(ask), kTimeout,
      [context = std::move(context), creation,
       reply = std::move(reply)](const Result<Answer>& answer) {
        Take(answer, creation.get());
        WaitForImage(
            context, kImageWait,
            [creation](const metadata::Image& image) {
              return std::ranges::all_of(creation->acls, [&](const Acl& acl) {
                return image.acls().contains(acl);
              });
            },
            [creation, reply] { reply(std::move(creation->response)); });
      });
}

}  // namespace tidemark::server
