#include "common/kafka/messages/describe_user_scram_credentials.h"

#include <map>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/metadata/image_holder.h"

namespace tidemark::server {
namespace {

using Response = kafka::DescribeUserScramCredentialsResponse;
using Result = Response::DescribeUserScramCredentialsResult;

Result Describe(const metadata::ScramImage& scram, const std::string& user) {
  Result result;
  result.user = user;
  for (const auto mechanism :
       {metadata::ScramMechanism::kSha256, metadata::ScramMechanism::kSha512}) {
    const auto* found = user == metadata::ScramImage::kNobody
                            ? nullptr
                            : scram.Find(user, mechanism);
    if (found == nullptr) continue;
    result.credential_infos.push_back(
        {static_cast<int8_t>(mechanism), found->iterations});
  }
  if (result.credential_infos.empty()) {
    result.error_code = Code(ErrorCode::kResourceNotFound);
    result.error_message =
        "Attempt to describe a user credential that does not exist: " + user;
  }
  return result;
}

}  // namespace

void HandleDescribeUserScramCredentials(
    RequestContext context, kafka::DescribeUserScramCredentialsRequest request,
    Reply<Response> reply) {
  const metadata::ImagePtr image = context.services->metadata->Get();
  std::map<std::string, int> asked;  // and how often
  if (request.users) {
    for (const auto& user : *request.users) ++asked[user.name];
  }
  if (asked.empty()) {
    image->scram().Each(
        [&](const std::string& user, auto, const auto&) { asked[user] = 1; });
  }
  Response response;
  for (const auto& [user, times] : asked) {
    response.results.push_back(Describe(image->scram(), user));
    if (times == 1) continue;
    Result& result = response.results.back();
    result.credential_infos.clear();
    result.error_code = Code(ErrorCode::kDuplicateResource);
    result.error_message =
        "Cannot describe SCRAM credentials for the same user twice in a "
        "single request: " +
        user;
  }
  reply(std::move(response));
}

}  // namespace tidemark::server
