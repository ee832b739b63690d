#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"
#include "controller/cli/scram_password.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;
using admin::v1::AlterScramCredentialsRequest;
using admin::v1::DescribeScramCredentialsRequest;

struct UserOptions {
  std::string user;
  std::vector<std::string> users;
  std::string mechanism = "SCRAM-SHA-512";
  int32_t iterations = sasl::kLeastIterations;
  std::string password_file;
};

std::string MechanismName(int32_t number) {
  return number == 1   ? "SCRAM-SHA-256"
         : number == 2 ? "SCRAM-SHA-512"
                       : std::to_string(number);
}

Status List(const Context& context, const UserOptions& options) {
  DescribeScramCredentialsRequest request;
  for (const std::string& user : options.users) request.add_users(user);
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto all, client.Call(request));
  Json json = Json::array();
  Table table({"USER", "MECHANISM", "ITERATIONS"});
  for (const auto& result : all.results()) {
    TM_RETURN_IF_ERROR(
        CodeToStatus(result.code(), result.user(), result.message()));
    for (const auto& credential : result.credentials()) {
      const std::string mechanism = MechanismName(credential.mechanism());
      json.push_back({{"user", result.user()},
                      {"mechanism", mechanism},
                      {"iterations", credential.iterations()}});
      table.Add(
          {result.user(), mechanism, std::to_string(credential.iterations())});
    }
  }
  if (context.format == Format::kJson) {
    PrintJson(json);
  } else {
    Print(table);
  }
  return {};
}

Status Alter(const Context& context, const UserOptions& options,
             const AlterScramCredentialsRequest& request, const char* done) {
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto answer, client.Call(request));
  for (const auto& result : answer.results()) {
    TM_RETURN_IF_ERROR(
        CodeToStatus(result.code(), result.user(), result.message()));
  }
  if (context.format == Format::kJson) {
    PrintJson({{"user", options.user}, {"mechanism", options.mechanism}});
  } else {
    Print(options.user + " " + done + " " + options.mechanism);
  }
  return {};
}

Status SetScram(const Context& context, const UserOptions& options) {
  TM_ASSIGN_OR_RETURN(const int32_t mechanism,
                      MechanismNumber(options.mechanism));
  TM_ASSIGN_OR_RETURN(const std::string password,
                      ReadPassword(options.password_file));
  const auto keys =
      KeysOfPassword(HashOf(mechanism), password, options.iterations);
  AlterScramCredentialsRequest request;
  auto* set = request.add_upsertions();
  set->set_user(options.user);
  set->set_mechanism(mechanism);
  set->set_iterations(keys.iterations);
  set->set_salt(keys.salt);
  set->set_stored_key(keys.stored_key);
  set->set_server_key(keys.server_key);
  return Alter(context, options, request, "may log in with");
}

Status DeleteScram(const Context& context, const UserOptions& options) {
  TM_ASSIGN_OR_RETURN(const int32_t mechanism,
                      MechanismNumber(options.mechanism));
  AlterScramCredentialsRequest request;
  auto* remove = request.add_deletions();
  remove->set_user(options.user);
  remove->set_mechanism(mechanism);
  return Alter(context, options, request, "may not log in any more with");
}

}  // namespace

void AddUserCommands(CLI::App& app, Context& context) {
  auto options = std::make_shared<UserOptions>();
  auto* noun = AddNoun(app, "user", "Who may log in by SCRAM");
  auto* list =
      AddCommand(*noun, context, "list", "Show users and how they log in",
                 [&context, options] { return List(context, *options); });
  list->add_option("user", options->users, "These only");
  auto* set = AddCommand(
      *noun, context, "set-scram", "Give a user a password, a new one too",
      [&context, options] { return SetScram(context, *options); });
  auto* remove = AddCommand(
      *noun, context, "delete-scram", "Take a user's password away",
      [&context, options] { return DeleteScram(context, *options); });
  for (auto* command : {set, remove}) {
    command->add_option("user", options->user, "The user's name")->required();
    command->add_option("--mechanism", options->mechanism,
                        "SCRAM-SHA-256 or SCRAM-SHA-512 (default)");
  }
  set->add_option("--iterations", options->iterations,
                  "How often the password is hashed: 4096 (default) to 16384")
      ->check(CLI::Range(sasl::kLeastIterations, sasl::kMostIterations));
  set->add_option("--password-file", options->password_file,
                  "Read it from there, '-' is the standard input (default: "
                  "ask for it)");
}

}  // namespace tidemark::cli
