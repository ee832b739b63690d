#include "common/authorization/settings.h"

#include <string>
#include <utility>

namespace tidemark::authorization {
namespace {

constexpr std::string_view kStandard =
    "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

constexpr ConfigKey kKeys[] = {
    {"authorizer.class.name", ConfigType::kString, "",
     "Who decides what clients may do: "
     "org.apache.kafka.metadata.authorizer.StandardAuthorizer by access "
     "control lists; empty: nobody, everything is allowed."},
    {"super.users", ConfigType::kString, "",
     "Principals that may do everything: User:a;User:b. Those of the brokers "
     "have to be among them, or be allowed CLUSTER_ACTION."},
    {"allow.everyone.if.no.acl.found", ConfigType::kBool, "false",
     "Whether what no access control list is about is everybody's."},
    {"tidemark.audit.log", ConfigType::kString, "audit.log",
     "File for what was refused and what administrators were allowed to do; "
     "relative to the first of log.dirs. Empty: none."},
};

}  // namespace

std::span<const ConfigKey> ConfigKeys() { return kKeys; }

Result<std::optional<Authorizer::Options>> ReadSettings(const Config& config) {
  const std::string name = config.GetString("authorizer.class.name");
  // Whoever has said who is to be let in must not let in everybody.
  if (name.empty()) {
    for (const char* key : {"super.users", "allow.everyone.if.no.acl.found"}) {
      const std::string value = config.GetString(key);
      if (!config.IsSet(key) || value.empty() || value == "true") continue;
      return Fail(ErrorCode::kInvalidConfig,
                  std::string("Invalid value '") + value +
                      "' for configuration " + key +
                      ": it is a setting of the authorizer, and "
                      "authorizer.class.name names none");
    }
    return std::optional<Authorizer::Options>();
  }
  if (name != kStandard) {
    return Fail(ErrorCode::kInvalidConfig,
                "Invalid value '" + name +
                    "' for configuration authorizer.class.name: must be " +
                    std::string(kStandard) + ", or empty");
  }
  TM_ASSIGN_OR_RETURN(auto super_users, Authorizer::ParseSuperUsers(
                                            config.GetString("super.users")));
  return std::optional(
      Authorizer::Options{std::move(super_users),
                          config.GetBool("allow.everyone.if.no.acl.found")});
}

}  // namespace tidemark::authorization
