#include "common/kafka/messages/alter_user_scram_credentials.h"

#include <set>

#include "broker/kafka/handlers/cluster_view.h"
#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/controller_client.h"
#include "common/base/utf8.h"
#include "common/sasl/scram.h"

namespace tidemark::server {
namespace {

using Request = kafka::AlterUserScramCredentialsRequest;
using Response = kafka::AlterUserScramCredentialsResponse;
using Ask = admin::v1::AlterScramCredentialsRequest;
using Answer = admin::v1::AlterScramCredentialsResponse;

constexpr auto kSha512 = static_cast<int8_t>(metadata::ScramMechanism::kSha512);

// Everybody who is named, each once.
std::set<std::string> UsersOf(const Request& request) {
  std::set<std::string> users;
  for (const auto& deletion : request.deletions) users.insert(deletion.name);
  for (const auto& upsertion : request.upsertions) users.insert(upsertion.name);
  return users;
}

Response Refusal(const Request& request, const Error& error) {
  Response response;
  for (const std::string& user : UsersOf(request)) {
    auto& result = response.results.emplace_back();
    result.user = user;
    result.error_code = Code(error.code);
    result.error_message = NullableMessage(error.message);
  }
  return response;
}

// With the salted password a client could log in; it stays here.
Ask ToAsk(const Request& request) {
  Ask ask;
  for (const auto& deletion : request.deletions) {
    auto* to = ask.add_deletions();
    to->set_user(deletion.name);
    to->set_mechanism(deletion.mechanism);
  }
  for (const auto& upsertion : request.upsertions) {
    const auto hash = upsertion.mechanism == kSha512 ? sasl::Hash::kSha512
                                                     : sasl::Hash::kSha256;
    const auto keys =
        sasl::KeysOf(hash, upsertion.salted_password.view(),
                     std::string(upsertion.salt.view()), upsertion.iterations);
    auto* to = ask.add_upsertions();
    to->set_user(upsertion.name);
    to->set_mechanism(upsertion.mechanism);
    to->set_iterations(keys.iterations);
    to->set_salt(keys.salt);
    // What is no hash is no password's: the controllers refuse one without
    // keys.
    if (upsertion.salted_password.size() == sasl::DigestBytes(hash)) {
      to->set_stored_key(keys.stored_key);
    }
    to->set_server_key(keys.server_key);
  }
  return ask;
}

// What was changed is in force here when its client hears of it.
bool Shows(const metadata::Image& image, const Ask& ask,
           const std::set<std::string>& refused) {
  const auto find = [&](const auto& change) {
    return image.scram().Find(
        change.user(),
        static_cast<metadata::ScramMechanism>(change.mechanism()));
  };
  for (const auto& deletion : ask.deletions()) {
    if (!refused.contains(deletion.user()) && find(deletion)) return false;
  }
  for (const auto& upsertion : ask.upsertions()) {
    const auto* found = find(upsertion);
    if (!refused.contains(upsertion.user()) &&
        (found == nullptr || found->stored_key != upsertion.stored_key())) {
      return false;
    }
  }
  return true;
}

}  // namespace

void HandleAlterUserScramCredentials(RequestContext context, Request request,
                                     Reply<Response> reply) {
  constexpr Duration kTimeout = std::chrono::seconds(30);
  for (const std::string& user : UsersOf(request)) {
    if (IsUtf8(user)) continue;
    return reply(Refusal(
        request, {ErrorCode::kInvalidRequest, "a user's name is text"}));
  }
  Ask ask = ToAsk(request);
  auto done = [context, request = std::move(request), ask,
               reply = std::move(reply)](const Result<Answer>& answer) {
    if (!answer) return reply(Refusal(request, answer.error()));
    Response response;
    std::set<std::string> refused;
    for (const auto& result : answer->results()) {
      auto& to = response.results.emplace_back();
      to.user = result.user();
      to.error_code = static_cast<int16_t>(result.code());
      to.error_message = NullableMessage(result.message());
      if (result.code() != 0) refused.insert(result.user());
    }
    WaitForImage(
        context, kImageWait,
        [ask, refused](const metadata::Image& image) {
          return Shows(image, ask, refused);
        },
        [reply, response = std::move(response)] { reply(response); });
  };
  context.services->controller->AlterScramCredentials(ask, kTimeout,
                                                      std::move(done));
}

}  // namespace tidemark::server
