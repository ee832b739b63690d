#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/metadata/features.h"
#include "controller/cli/admin_client.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;
using admin::v1::DescribeFeaturesRequest;
using admin::v1::DescribeFeaturesResponse;
using admin::v1::UpdateFeaturesRequest;

struct UpdateOptions {
  std::vector<std::string> features;  // name=level
  bool dry_run = false;
  bool unsafe = false;
};

Json ToJson(const DescribeFeaturesResponse& all) {
  Json features = Json::array(), nodes = Json::array();
  for (const auto& feature : all.features()) {
    features.push_back({{"name", feature.name()},
                        {"min_level", feature.min_level()},
                        {"max_level", feature.max_level()},
                        {"level", feature.level()}});
  }
  for (const auto& node : all.nodes()) {
    Json supported = Json::object();
    for (const auto& range : node.features()) {
      supported[range.name()] = {range.min_level(), range.max_level()};
    }
    nodes.push_back({{"id", node.id()},
                     {"role", node.controller() ? "controller" : "broker"},
                     {"known", node.known()},
                     {"supports", supported}});
  }
  return {{"epoch", all.epoch()}, {"features", features}, {"nodes", nodes}};
}

std::string ToText(int32_t min, int32_t max) {
  return std::to_string(min) + "-" + std::to_string(max);
}

Status Describe(const Context& context) {
  AdminClient client(context);
  TM_ASSIGN_OR_RETURN(const auto all, client.Call(DescribeFeaturesRequest()));
  if (context.format == Format::kJson) {
    PrintJson(ToJson(all));
    return {};
  }
  Table levels({"FEATURE", "LEVEL", "SUPPORTED"});
  std::vector<std::string> header{"NODE"};
  for (const auto& feature : all.features()) {
    levels.Add({feature.name(), std::to_string(feature.level()),
                ToText(feature.min_level(), feature.max_level())});
    header.push_back(feature.name());
  }
  Print(levels);
  Print("");
  Table nodes(header);
  for (const auto& node : all.nodes()) {
    std::vector<std::string> row{
        (node.controller() ? "controller " : "broker ") +
        std::to_string(node.id())};
    for (const auto& feature : all.features()) {
      std::string cell = node.known() ? "-" : "unknown";
      for (const auto& range : node.features()) {
        if (range.name() != feature.name()) continue;
        cell = ToText(range.min_level(), range.max_level());
      }
      row.push_back(std::move(cell));
    }
    nodes.Add(std::move(row));
  }
  Print(nodes);
  return {};
}

Status AddUpdate(const std::string& text, UpdateFeaturesRequest::Kind kind,
                 UpdateFeaturesRequest* request) {
  TM_ASSIGN_OR_RETURN(const auto pair, SplitPair(text));
  const auto& [name, value] = pair;
  int16_t level = 0;
  const char* end = value.data() + value.size();
  const auto parsed = std::from_chars(value.data(), end, level);
  if (parsed.ec != std::errc() || parsed.ptr != end || level < 0) {
    return Fail(ErrorCode::kInvalidRequest,
                "want feature=level, a level of 0 or more, not '" + text + "'");
  }
  auto* update = request->add_updates();
  update->set_name(name);
  update->set_level(level);
  update->set_kind(kind);
  return {};
}

Status PrintResults(const Context& context,
                    const UpdateFeaturesRequest& request,
                    const admin::v1::UpdateFeaturesResponse& response) {
  Json json = Json::array();
  for (int i = 0; i < response.results_size(); ++i) {
    const auto& result = response.results(i);
    // All or none.
    TM_RETURN_IF_ERROR(
        CodeToStatus(result.code(), result.name(), result.message()));
    const int32_t level = request.updates(i).level();
    json.push_back({{"name", result.name()},
                    {"level", level},
                    {"validate_only", request.validate_only()}});
    if (context.format == Format::kTable) {
      Print(result.name() +
            (request.validate_only() ? " can be set to " : " is at ") +
            std::to_string(level));
    }
  }
  if (context.format == Format::kJson) PrintJson(json);
  return {};
}

Status Update(const Context& context, const UpdateOptions& options,
              UpdateFeaturesRequest::Kind kind) {
  if (options.unsafe) kind = UpdateFeaturesRequest::UNSAFE_DOWNGRADE;
  UpdateFeaturesRequest request;
  request.set_validate_only(options.dry_run);
  for (const std::string& text : options.features) {
    TM_RETURN_IF_ERROR(AddUpdate(text, kind, &request));
  }
  AdminClient client(context);
  if (request.updates().empty()) {
    // The newest level of everything that has one to be chosen.
    TM_ASSIGN_OR_RETURN(const auto now, client.Call(DescribeFeaturesRequest()));
    for (const auto& feature : now.features()) {
      if (feature.name() == metadata::kKraftVersion) continue;
      auto* update = request.add_updates();
      update->set_name(feature.name());
      update->set_level(feature.max_level());
      update->set_kind(kind);
    }
  }
  TM_ASSIGN_OR_RETURN(const auto response, client.Call(request));
  return PrintResults(context, request, response);
}

}  // namespace

void AddFeaturesCommands(CLI::App& app, Context& context) {
  auto* noun = AddNoun(app, "features",
                       "What releases support, and what the cluster works at");
  AddCommand(*noun, context, "describe",
             "Show the levels in force and what each node supports",
             [&context] { return Describe(context); });
  auto options = std::make_shared<UpdateOptions>();
  auto* upgrade = AddCommand(
      *noun, context, "upgrade",
      "Raise levels, once every node runs a release that supports them",
      [&context, options] {
        return Update(context, *options, UpdateFeaturesRequest::UPGRADE);
      });
  auto* downgrade = AddCommand(
      *noun, context, "downgrade",
      "Lower levels, before nodes go back to an older release",
      [&context, options] {
        return Update(context, *options, UpdateFeaturesRequest::SAFE_DOWNGRADE);
      });
  upgrade->add_option("--feature", options->features,
                      "name=level (default: metadata.version to the newest)");
  downgrade->add_option("--feature", options->features, "name=level")
      ->required();
  downgrade->add_flag("--unsafe", options->unsafe,
                      "Also where something would be lost");
  for (auto* command : {upgrade, downgrade}) {
    command->add_flag("--dry-run", options->dry_run,
                      "Say whether it could be done, and do nothing");
  }
}

}  // namespace tidemark::cli
