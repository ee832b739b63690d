#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/kafka/handler.h"
#include "broker/kafka/handlers/cluster_view.h"
#include "common/base/result.h"
#include "proto/admin.pb.h"

namespace tidemark::server {

// What AlterConfigs and IncrementalAlterConfigs have in common: changes of the
// settings of resources, each of which is done whole or not at all, and has an
// outcome of its own. Resource types are Kafka's.
class ConfigChanges {
 public:
  using Resource = admin::v1::AlterConfigsRequest::ResourceChanges;
  struct Entry {
    std::string key;
    int8_t operation = 0;  // Kafka's, and admin::v1::ConfigOp
    std::optional<std::string> value;
  };

  explicit ConfigChanges(bool validate_only) {
    ask_.set_validate_only(validate_only);
  }

  // The entries of one resource; checked here as far as the controllers would
  // refuse the whole request for them, or could not say what Kafka says.
  // `replace`: they are all there is to be.
  void Add(int8_t type, const std::string& name,
           const std::vector<Entry>& entries, bool replace);

  // Asks the controllers; `done` on any thread.
  using Done = std::function<void(const ConfigChanges&)>;
  static void Send(std::shared_ptr<ConfigChanges> changes,
                   const RequestContext& context, Done done);

  // The same, and answers with the outcome of each resource of `request`, in
  // order.
  template <class Response, class Request>
  static void SendAndAnswer(std::shared_ptr<ConfigChanges> changes,
                            const RequestContext& context, Request request,
                            Reply<Response> reply) {
    Send(std::move(changes), context,
         [request = std::move(request),
          reply = std::move(reply)](const ConfigChanges& done) {
           Response response;
           for (const auto& resource : request.resources) {
             auto& outcome = response.responses.emplace_back();
             outcome.resource_type = resource.resource_type;
             outcome.resource_name = resource.resource_name;
             const Error error =
                 done.OutcomeOf(resource.resource_type, resource.resource_name);
             outcome.error_code = Code(error.code);
             outcome.error_message = NullableMessage(error.message);
           }
           reply(std::move(response));
         });
  }

  // After Send.
  Error OutcomeOf(int8_t type, const std::string& name) const;

 private:
  using Key = std::pair<int32_t, std::string>;
  void Take(const Result<admin::v1::AlterConfigsResponse>& answer);

  admin::v1::AlterConfigsRequest ask_;
  std::map<Key, Error> outcomes_;  // kNone while not refused
};

}  // namespace tidemark::server
