#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/authorization/authorizer.h"
#include "common/metadata/acl.h"
#include "common/metadata/acl_messages.h"
#include "common/metadata/acls_image.h"
#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;
using metadata::Acl;
using metadata::AclFilter;

// As they are typed: "topic:orders", "cluster", "Read".
struct AclOptions {
  std::string resource, pattern, principal, host, operation, permission;
  bool deny = false;
  // acl test
  std::string super_users;
  bool allow_everyone = false;
};

template <class Kind>
Result<Kind> Named(std::optional<Kind> found, const char* what,
                   const std::string& text) {
  if (found && *found != Kind::kUnknown && *found != Kind::kAny) return *found;
  return Fail(ErrorCode::kInvalidRequest,
              "no " + std::string(what) + " is called '" + text + "'");
}

struct NamedResource {
  metadata::AclResource type;
  std::optional<std::string> name;
};

// "TYPE:NAME", or "cluster", of which there is one.
Result<NamedResource> ReadResource(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string type = text.substr(0, colon);
  TM_ASSIGN_OR_RETURN(const auto found, Named(metadata::ResourceNamed(type),
                                              "type of resource", type));
  NamedResource out{found, std::nullopt};
  if (found == metadata::AclResource::kCluster) {
    out.name = metadata::kClusterName;
  } else if (colon != std::string::npos) {
    out.name = text.substr(colon + 1);
  }
  return out;
}

Result<Acl> ReadAcl(const AclOptions& options) {
  TM_ASSIGN_OR_RETURN(const NamedResource resource,
                      ReadResource(options.resource));
  TM_ASSIGN_OR_RETURN(const auto pattern,
                      Named(metadata::PatternNamed(options.pattern), "pattern",
                            options.pattern));
  TM_ASSIGN_OR_RETURN(const auto operation,
                      Named(metadata::OperationNamed(options.operation),
                            "operation", options.operation));
  const Acl acl{{resource.type, pattern, resource.name.value_or("")},
                options.principal,
                options.host.empty() ? metadata::kWildcard : options.host,
                operation,
                options.deny ? metadata::AclPermission::kDeny
                             : metadata::AclPermission::kAllow};
  TM_RETURN_IF_ERROR(metadata::CheckAcl(acl));
  return acl;
}

// What is not given is any.
Result<AclFilter> ReadFilter(const AclOptions& options) {
  AclFilter filter;
  if (!options.resource.empty()) {
    TM_ASSIGN_OR_RETURN(const NamedResource resource,
                        ReadResource(options.resource));
    filter.type = resource.type;
    filter.name = resource.name;
  }
  if (!options.pattern.empty() && options.pattern != "any") {
    TM_ASSIGN_OR_RETURN(filter.pattern,
                        Named(metadata::PatternNamed(options.pattern),
                              "pattern", options.pattern));
  }
  if (!options.operation.empty()) {
    TM_ASSIGN_OR_RETURN(filter.operation,
                        Named(metadata::OperationNamed(options.operation),
                              "operation", options.operation));
  }
  if (!options.permission.empty()) {
    TM_ASSIGN_OR_RETURN(filter.permission,
                        Named(metadata::PermissionNamed(options.permission),
                              "permission", options.permission));
  }
  if (!options.principal.empty()) filter.principal = options.principal;
  if (!options.host.empty()) filter.host = options.host;
  return filter;
}

Json ToJson(const Acl& acl) {
  return {{"resource_type", Name(acl.resource.type)},
          {"resource_name", acl.resource.name},
          {"pattern", Name(acl.resource.pattern)},
          {"principal", acl.principal},
          {"permission", Name(acl.permission)},
          {"operation", Name(acl.operation)},
          {"host", acl.host}};
}

void PrintAcls(const Context& context, const std::vector<Acl>& acls) {
  Json json = Json::array();
  Table table({"RESOURCE", "PATTERN", "NAME", "PRINCIPAL", "PERMISSION",
               "OPERATION", "HOST"});
  const auto text = [](std::string_view name) { return std::string(name); };
  for (const Acl& acl : acls) {
    json.push_back(ToJson(acl));
    table.Add({text(Name(acl.resource.type)), text(Name(acl.resource.pattern)),
               acl.resource.name, acl.principal, text(Name(acl.permission)),
               text(Name(acl.operation)), acl.host});
  }
  if (context.format == Format::kJson) {
    PrintJson(json);
  } else {
    Print(table);
  }
}

template <class Messages>
std::vector<Acl> FromMessages(const Messages& messages) {
  std::vector<Acl> out;
  for (const auto& message : messages) {
    out.push_back(metadata::FromMessage(message));
  }
  std::sort(out.begin(), out.end());
  return out;
}

Status Create(const Context& context, const AclOptions& options) {
  TM_ASSIGN_OR_RETURN(const Acl acl, ReadAcl(options));
  admin::v1::CreateAclsRequest request;
  metadata::ToMessage(acl, request.add_acls());
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto response, client.Call(request));
  for (const auto& result : response.results()) {
    TM_RETURN_IF_ERROR(
        CodeToStatus(result.code(), metadata::ToText(acl), result.message()));
  }
  PrintAcls(context, {acl});
  return {};
}

Status List(const Context& context, const AclOptions& options) {
  TM_ASSIGN_OR_RETURN(const AclFilter filter, ReadFilter(options));
  admin::v1::DescribeAclsRequest request;
  metadata::ToMessage(filter, request.mutable_filter());
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto response, client.Call(request));
  PrintAcls(context, FromMessages(response.acls()));
  return {};
}

Status Delete(const Context& context, const AclOptions& options) {
  TM_ASSIGN_OR_RETURN(const AclFilter filter, ReadFilter(options));
  admin::v1::DeleteAclsRequest request;
  metadata::ToMessage(filter, request.add_filters());
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto response, client.Call(request));
  std::vector<Acl> deleted;
  for (const auto& result : response.results()) {
    TM_RETURN_IF_ERROR(CodeToStatus(result.code(), "acl", result.message()));
    deleted = FromMessages(result.acls());
  }
  PrintAcls(context, deleted);
  return {};
}

// The rules as the controllers have them, and the same code that brokers ask.
Result<metadata::AclsImage> ReadAcls(const Context& context) {
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto response,
                      client.Call(admin::v1::DescribeAclsRequest()));
  metadata::AclsImage image;
  for (const auto& message : response.acls()) {
    metadata::v1::SetAcl record;
    record.set_id(Uuid::Random().ToBytes());
    record.set_resource_type(message.resource_type());
    record.set_resource_name(message.resource_name());
    record.set_pattern_type(message.pattern_type());
    record.set_principal(message.principal());
    record.set_host(message.host());
    record.set_operation(message.operation());
    record.set_permission(message.permission());
    TM_RETURN_IF_ERROR(image.Apply(record));
  }
  return image;
}

Status Test(const Context& context, const AclOptions& options) {
  TM_ASSIGN_OR_RETURN(const NamedResource resource,
                      ReadResource(options.resource));
  if (!resource.name || resource.name->empty()) {
    return Fail(ErrorCode::kInvalidRequest,
                "want TYPE:NAME, as topic:orders, or cluster");
  }
  TM_ASSIGN_OR_RETURN(const auto operation,
                      Named(metadata::OperationNamed(options.operation),
                            "operation", options.operation));
  TM_ASSIGN_OR_RETURN(
      auto super_users,
      authorization::Authorizer::ParseSuperUsers(options.super_users));
  TM_ASSIGN_OR_RETURN(const metadata::AclsImage acls, ReadAcls(context));
  const authorization::Authorizer authorizer(
      {std::move(super_users), options.allow_everyone});
  const std::string host = options.host.empty() ? "127.0.0.1" : options.host;
  const auto verdict =
      authorizer.Authorize(acls, {options.principal, host},
                           {operation, resource.type, *resource.name});
  const std::string rule = authorization::ToText(verdict, resource.type);
  if (context.format == Format::kJson) {
    PrintJson({{"allowed", verdict.allowed}, {"rule", rule}});
  } else {
    Print((verdict.allowed ? "allow: " : "deny: ") + rule);
  }
  return {};
}

}  // namespace

void AddAclCommands(CLI::App& app, Context& context) {
  auto options = std::make_shared<AclOptions>();
  auto* noun = AddNoun(app, "acl", "Access control lists: who may do what");
  constexpr char kResource[] =
      "topic:NAME, group:NAME, transactional-id:NAME, user:NAME, "
      "delegation-token:ID or cluster; NAME \"*\": all";
  constexpr char kOperation[] =
      "read, write, create, delete, alter, describe, cluster-action, "
      "describe-configs, alter-configs, idempotent-write, all";
  auto* create =
      AddCommand(*noun, context, "create", "Allow or deny an operation",
                 [&context, options] { return Create(context, *options); });
  create->add_option("principal", options->principal, "User:NAME, or User:*")
      ->required();
  create->add_option("operation", options->operation, kOperation)->required();
  create->add_option("resource", options->resource, kResource)->required();
  create->add_option("--pattern", options->pattern, "literal or prefixed")
      ->default_str("literal")
      ->default_val("literal");
  create->add_option("--host", options->host,
                     "The client's address (default: any)");
  create->add_flag("--deny", options->deny, "Deny it; stronger than any allow");

  auto filter = std::make_shared<AclOptions>();
  auto* list =
      AddCommand(*noun, context, "list", "Show rules",
                 [&context, filter] { return List(context, *filter); });
  auto* remove =
      AddCommand(*noun, context, "delete", "Delete all rules that are found",
                 [&context, filter] { return Delete(context, *filter); });
  for (auto* command : {list, remove}) {
    command->add_option("--principal", filter->principal, "Of that principal");
    command->add_option("--operation", filter->operation, kOperation);
    auto* resource =
        command->add_option("--resource", filter->resource, kResource);
    if (command == remove) resource->required();
    command->add_option("--pattern", filter->pattern,
                        "literal, prefixed, any, or match: whatever applies "
                        "to a resource of that name");
    command->add_option("--host", filter->host, "Of that address");
    command->add_option("--permission", filter->permission, "allow or deny");
  }

  auto asked = std::make_shared<AclOptions>();
  auto* test = AddCommand(*noun, context, "test",
                          "Say whether something is allowed, and by what",
                          [&context, asked] { return Test(context, *asked); });
  test->add_option("principal", asked->principal, "User:NAME")->required();
  test->add_option("operation", asked->operation, kOperation)->required();
  test->add_option("resource", asked->resource, kResource)->required();
  test->add_option("--host", asked->host, "The client's address")
      ->default_str("127.0.0.1");
  test->add_option("--super-users", asked->super_users,
                   "super.users of the brokers: User:a;User:b");
  test->add_flag("--allow-everyone", asked->allow_everyone,
                 "allow.everyone.if.no.acl.found of the brokers");
}

}  // namespace tidemark::cli
