#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "common/rpc/channel.h"
#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;
using admin::v1::ChangeQuorumRequest;
using admin::v1::DescribeQuorumRequest;
using admin::v1::DescribeQuorumResponse;

// For the leader: longer than it takes to elect one.
constexpr int64_t kLeaderMs = 3000;
// For one controller of a quorum that has no leader.
constexpr int64_t kOneMs = 1500;
// A step of a change that is repeated until it is done.
constexpr int32_t kStepMs = 3000;

std::string DirectoryOf(const std::string& bytes) {
  const auto id = Uuid::FromBytes(bytes);
  return id ? ToString(*id) : "-";
}

void AddMember(const DescribeQuorumResponse::Voter& member, const char* role,
               Table* table, Json* json) {
  json->push_back({{"id", member.id()},
                   {"host", member.host()},
                   {"port", member.port()},
                   {"directory_id", DirectoryOf(member.directory_id())},
                   {"match_offset", member.match_offset()},
                   {"active", member.active()}});
  table->Add({std::to_string(member.id()),
              member.host() + ":" + std::to_string(member.port()), role,
              std::to_string(member.match_offset()),
              member.active() ? "yes" : "no",
              DirectoryOf(member.directory_id())});
}

void PrintQuorum(const Context& context, const DescribeQuorumResponse& quorum) {
  Json voters = Json::array(), learners = Json::array();
  Table table({"ID", "ADDRESS", "ROLE", "MATCH", "ACTIVE", "DIRECTORY ID"});
  for (const auto& voter : quorum.voters())
    AddMember(voter, voter.id() == quorum.leader() ? "leader" : "follower",
              &table, &voters);
  for (const auto& learner : quorum.learners())
    AddMember(learner, "learner", &table, &learners);
  if (context.format == Format::kJson) {
    return PrintJson({{"leader", quorum.leader()},
                      {"epoch", quorum.epoch()},
                      {"committed_offset", quorum.committed_offset()},
                      {"snapshot_offset", quorum.snapshot_offset()},
                      {"last_offset", quorum.last_offset()},
                      {"seen_by", quorum.self()},
                      {"voters", voters},
                      {"learners", learners}});
  }
  Print((quorum.leader() < 0 ? "no leader"
                             : "leader " + std::to_string(quorum.leader())) +
        "  epoch " + std::to_string(quorum.epoch()) + "  committed offset " +
        std::to_string(quorum.committed_offset()) + "  snapshot offset " +
        std::to_string(quorum.snapshot_offset()));
  Print(table);
}

// What each controller that answers sees by itself.
Status ShowViews(const Context& context, const Error& why) {
  bool any = false;
  DescribeQuorumRequest request;
  request.set_local(true);
  for (const std::string& address : SplitList(context.controllers, ',')) {
    AdminClient client(address, std::min(context.timeout_ms, kOneMs),
                       context.tls);
    auto quorum = client.Call(request);
    if (!quorum) continue;
    any = true;
    if (context.format == Format::kTable)
      Print(std::string(quorum->leader() < 0 ? "no controller leads; "
                                             : "the leader did not answer; ") +
            "controller " + std::to_string(quorum->self()) + " at " + address +
            " with log to " + std::to_string(quorum->last_offset()) + " sees:");
    PrintQuorum(context, *quorum);
  }
  return any ? Status() : Fail(why);
}

Status ShowQuorum(const Context& context) {
  AdminClient client(context.controllers,
                     std::min(context.timeout_ms, kLeaderMs), context.tls);
  auto quorum = client.Call(DescribeQuorumRequest());
  if (!quorum) return ShowViews(context, quorum.error());
  PrintQuorum(context, *quorum);
  return {};
}

struct ChangeOptions {
  NodeId id = kNoNode;
  std::string directory;
  std::string address;
  bool learner = false;
};

Status SetDirectory(const std::string& text, ChangeQuorumRequest* request) {
  if (text.empty()) return {};
  const auto id = Uuid::Parse(text);
  if (!id)
    return Fail(
        ErrorCode::kInvalidVoterKey,
        "'" + text + "' is no directory id; tidemark storage info shows it");
  request->set_directory_id(id->ToBytes());
  return {};
}

Status SetAddress(const std::string& text, ChangeQuorumRequest* request) {
  const size_t colon = text.rfind(':');
  int32_t port = 0;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [stop, error] =
        std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || stop != end) port = 0;
  }
  std::string host = text.substr(0, std::min(colon, text.size()));
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  if (port <= 0 || host.empty())
    return Fail(ErrorCode::kInvalidRequest,
                "want host:port, not '" + text + "'");
  request->set_host(host);
  request->set_port(port);
  return {};
}

// What the controller to be added supports, if it says so by itself. One that
// does not answer may have told the leader.
void AskFeatures(const Context& context, ChangeQuorumRequest* request) {
  AdminClient client(rpc::HostPort(request->host(), request->port()),
                     std::min(context.timeout_ms, kOneMs), context.tls);
  DescribeQuorumRequest question;
  question.set_local(true);
  if (auto answer = client.Call(question)) {
    *request->mutable_features() = answer->self_features();
  }
}

Status ChangeQuorum(const Context& context, const ChangeOptions& options,
                    ChangeQuorumRequest::Kind kind, const std::string& done) {
  ChangeQuorumRequest request;
  request.set_kind(kind);
  request.set_id(options.id);
  request.set_learner(options.learner);
  request.set_timeout_ms(kStepMs);
  TM_RETURN_IF_ERROR(SetDirectory(options.directory, &request));
  if (kind == ChangeQuorumRequest::ADD) {
    TM_RETURN_IF_ERROR(SetAddress(options.address, &request));
    AskFeatures(context, &request);
  }
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(auto unused, client.Call(request));
  static_cast<void>(unused);
  if (context.format == Format::kJson) {
    PrintJson({{"id", options.id}, {"result", done}});
  } else {
    Print("controller " + std::to_string(options.id) + " " + done);
  }
  return {};
}

CLI::App* AddChange(CLI::App& noun, Context& context, const std::string& name,
                    const std::string& description,
                    std::shared_ptr<ChangeOptions> options,
                    ChangeQuorumRequest::Kind kind, const std::string& done) {
  auto* command = AddCommand(
      noun, context, name, description, [&context, options, kind, done] {
        return ChangeQuorum(context, *options, kind, done);
      });
  command->add_option("id", options->id, "The controller's node.id")
      ->required()
      ->check(CLI::NonNegativeNumber);
  return command;
}

}  // namespace

void AddQuorumCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "quorum", "The controllers");
  AddCommand(*noun, context, "status",
             "Show who leads and how far each controller is; without a leader, "
             "what each of them sees",
             [&context] { return ShowQuorum(context); });
  auto options = std::make_shared<ChangeOptions>();
  auto* add = AddChange(
      *noun, context, "add",
      "Make a running controller follow, and vote once it has caught up",
      options, ChangeQuorumRequest::ADD, "is a member");
  add->add_option("--address", options->address, "Where it listens: host:port")
      ->required();
  add->add_flag("--learner", options->learner, "It is to follow only");
  auto* remove =
      AddChange(*noun, context, "remove", "Take a controller out of the quorum",
                options, ChangeQuorumRequest::REMOVE, "is no member");
  auto* forget =
      AddChange(*noun, context, "forget",
                "Let go of a controller that follows and is gone", options,
                ChangeQuorumRequest::FORGET, "is no member");
  AddChange(*noun, context, "transfer", "Let that controller lead", options,
            ChangeQuorumRequest::TRANSFER, "is asked to lead");
  add->add_option("--directory-id", options->directory,
                  "The id of its directory: tidemark storage info")
      ->required();
  for (auto* command : {remove, forget})
    command->add_option("--directory-id", options->directory,
                        "Only if this is its directory");
  AddBackupCommands(*noun, context);
}

}  // namespace tidemark::cli
