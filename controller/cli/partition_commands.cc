#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/offset_plan.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ElectOptions {
  std::vector<std::string> topics;  // "orders:0,2"
  bool all = false;
  bool unclean = false;
};

Status AddPartitionsOf(AdminClient& client, const std::string& text,
                       admin::v1::ElectLeadersRequest* request) {
  TM_ASSIGN_OR_RETURN(TopicScope scope, ParseScope(text));
  if (scope.partitions.empty()) {
    admin::v1::DescribeTopicsRequest describe;
    describe.add_names(scope.topic);
    TM_ASSIGN_OR_RETURN(const auto described, client.Call(describe));
    for (const auto& result : described.topics()) {
      TM_RETURN_IF_ERROR(
          CodeToStatus(result.code(), scope.topic, result.message()));
      for (const auto& partition : result.topic().partitions()) {
        scope.partitions.push_back(partition.partition());
      }
    }
  }
  for (const int32_t partition : scope.partitions) {
    auto* one = request->add_partitions();
    one->set_topic(scope.topic);
    one->set_partition(partition);
  }
  return {};
}

Status Elect(const Context& context, const ElectOptions& options) {
  if (options.all != options.topics.empty()) {
    return Fail(ErrorCode::kInvalidRequest,
                "say of which partitions: --topic TOPIC:0,2 or --all");
  }
  AdminClient client(context);
  admin::v1::ElectLeadersRequest request;
  request.set_unclean(options.unclean);
  for (const std::string& topic : options.topics) {
    TM_RETURN_IF_ERROR(AddPartitionsOf(client, topic, &request));
  }
  TM_ASSIGN_OR_RETURN(const auto response, client.Call(request));
  Json json = Json::array();
  Table table({"TOPIC", "PARTITION", "RESULT"});
  Status failed;
  for (const auto& result : response.partitions()) {
    const auto code = static_cast<ErrorCode>(result.code());
    const bool fine =
        code == ErrorCode::kNone || code == ErrorCode::kElectionNotNeeded;
    const std::string said =
        code == ErrorCode::kNone ? "elected" : std::string(ErrorName(code));
    table.Add({result.topic(), std::to_string(result.partition()), said});
    json.push_back({{"topic", result.topic()},
                    {"partition", result.partition()},
                    {"result", said}});
    if (!fine && failed) {
      failed = CodeToStatus(
          result.code(),
          result.topic() + "-" + std::to_string(result.partition()),
          result.message());
    }
  }
  context.format == Format::kJson ? PrintJson(json) : Print(table);
  return failed;
}

}  // namespace

void AddPartitionCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "partition", "Leaders and replicas of partitions");
  AddLogDirCommands(*noun, context);
  auto options = std::make_shared<ElectOptions>();
  CLI::App* elect = AddCommand(
      *noun, context, "elect", "Give leadership back to the preferred replicas",
      [&context, options] { return Elect(context, *options); });
  elect
      ->add_option("--topic", options->topics,
                   "TOPIC, or TOPIC:0,2 for some of its partitions; repeat for "
                   "more")
      ->type_name("TOPIC");
  elect->add_flag("--all", options->all, "All partitions that need it");
  elect->add_flag("--unclean", options->unclean,
                  "Elect any live replica where no leader is left: records "
                  "that only the others have are lost");
}

}  // namespace tidemark::cli
