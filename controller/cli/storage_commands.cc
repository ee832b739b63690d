#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/base/uuid.h"
#include "common/io/initial_credentials.h"
#include "common/io/initial_features.h"
#include "common/io/initial_voters.h"
#include "common/io/meta_properties.h"
#include "common/metadata/features.h"
#include "controller/cli/command.h"
#include "controller/cli/output.h"
#include "controller/cli/scram_password.h"

namespace tidemark::cli {
namespace {

using Json = nlohmann::ordered_json;

struct StorageOptions {
  std::string config;
  std::vector<std::string> overrides;
  std::string cluster_id;
  std::string path;
  bool ignore_formatted = false;
  // How the quorum begins, as Kafka's tool has it.
  bool standalone = false;
  bool no_initial_controllers = false;
  std::string initial_controllers;
  std::vector<std::string> features;  // name=level
  std::vector<std::string> scram;     // Kafka's --add-scram
};

constexpr ConfigKey kKeys[] = {
    {.name = "node.id", .type = ConfigType::kInt, .default_value = "-1"},
    {.name = "broker.id", .type = ConfigType::kInt, .default_value = "-1"},
    {.name = "log.dirs", .type = ConfigType::kList},
    {.name = "log.dir", .type = ConfigType::kString},
    {.name = "metadata.log.dir", .type = ConfigType::kString},
    {.name = "controller.quorum.voters", .type = ConfigType::kList},
    {.name = "listeners", .type = ConfigType::kList},
    {.name = "advertised.listeners", .type = ConfigType::kList},
    {.name = "controller.listener.names",
     .type = ConfigType::kList,
     .default_value = "CONTROLLER"},
};

// The directories of a server.properties, each once.
Result<std::vector<std::string>> DirectoriesOf(const Config& config) {
  std::vector<std::string> dirs = config.GetList("log.dirs");
  for (const char* key : {"log.dir", "metadata.log.dir"}) {
    std::string dir = config.GetString(key);
    bool shadowed = std::string_view(key) == "log.dir" && !dirs.empty();
    if (!dir.empty() && !shadowed &&
        std::find(dirs.begin(), dirs.end(), dir) == dirs.end()) {
      dirs.push_back(dir);
    }
  }
  if (dirs.empty()) {
    return Fail(ErrorCode::kInvalidConfig,
                "no directory to format: set log.dirs in the file, or give "
                "--override log.dirs=DIRECTORY");
  }
  return dirs;
}

Result<NodeId> NodeIdOf(const Config& config) {
  int64_t id = config.GetInt(config.IsSet("node.id") ? "node.id" : "broker.id");
  if (id < 0) {
    return Fail(ErrorCode::kInvalidConfig,
                "whose directory is it? Set node.id, 0 or more, in the file");
  }
  return static_cast<NodeId>(id);
}

// A controller keeps its metadata in metadata.log.dir, or else in the first
// directory. Without a list of voters any node may be one.
io::Use UseOf(const std::string& dir, const std::vector<std::string>& dirs,
              const Config& config, NodeId node_id) {
  std::string metadata = config.GetString("metadata.log.dir");
  if (metadata.empty()) metadata = dirs.front();
  const auto voters = config.GetList("controller.quorum.voters");
  const std::string id = std::to_string(node_id) + "@";
  const bool votes =
      voters.empty() ||
      std::any_of(voters.begin(), voters.end(), [&](const std::string& voter) {
        return voter.starts_with(id);
      });
  return votes && dir == metadata ? io::Use::kMetadata : io::Use::kLogs;
}

Result<Config> LoadConfig(const StorageOptions& options) {
  Config::Sources sources{.path = options.config,
                          .overrides = options.overrides,
                          .environment = {},
                          .refuse_unknown_security = false};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    sources.environment.emplace_back(*variable);
  }
  return Config::Load(kKeys, sources);
}

Json ToJson(const std::string& dir, const io::MetaProperties& meta) {
  return {{"directory", dir},
          {"cluster_id", meta.cluster_id},
          {"node_id", meta.node_id},
          {"directory_id", ToString(meta.directory_id)}};
}

// host:port of the controller's listener, where others reach it.
Result<std::string> ControllerAddress(const Config& config) {
  const auto names = config.GetList("controller.listener.names");
  for (const char* key : {"advertised.listeners", "listeners"}) {
    for (const std::string& listener : config.GetList(key)) {
      const size_t split = listener.find("://");
      if (split != std::string::npos &&
          std::find(names.begin(), names.end(), listener.substr(0, split)) !=
              names.end())
        return listener.substr(split + 3);
    }
  }
  return Fail(ErrorCode::kInvalidConfig,
              "--standalone needs the controller's address: set listeners to "
              "CONTROLLER://host:port in the file");
}

// Those that the quorum begins with; empty: nothing is said about it here.
Result<std::vector<io::InitialVoter>> InitialVoters(
    const StorageOptions& options, const Config& config, NodeId node_id) {
  if (options.standalone + options.no_initial_controllers +
          !options.initial_controllers.empty() >
      1)
    return Fail(ErrorCode::kInvalidRequest,
                "--standalone, --initial-controllers and "
                "--no-initial-controllers exclude each other");
  if (!options.initial_controllers.empty())
    return io::ParseInitialVoters(options.initial_controllers);
  if (!options.standalone) return std::vector<io::InitialVoter>();
  TM_ASSIGN_OR_RETURN(const std::string address, ControllerAddress(config));
  return io::ParseInitialVoters(std::to_string(node_id) + "@" + address + ":" +
                                ToString(Uuid::Random()));
}

// The levels that a new cluster begins with, the newest unless told otherwise.
Result<io::InitialFeatures> InitialFeatures(const StorageOptions& options) {
  io::InitialFeatures levels = metadata::InitialLevels();
  for (const std::string& text : options.features) {
    TM_ASSIGN_OR_RETURN(const auto pair, SplitPair(text));
    const auto& [name, value] = pair;
    const auto* feature = metadata::FindFeature(name);
    if (feature == nullptr || name == metadata::kKraftVersion) {
      return Fail(ErrorCode::kInvalidRequest,
                  feature == nullptr
                      ? "there is no feature " + name
                      : name + " follows from how the quorum begins");
    }
    const LevelRange range = feature->supported;
    int16_t level = 0;
    const char* end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, level);
    if (parsed.ec != std::errc() || parsed.ptr != end ||
        !range.Contains(level)) {
      return Fail(ErrorCode::kInvalidRequest,
                  name + " " + value + " is not supported: want " +
                      std::to_string(range.min) + " to " +
                      std::to_string(range.max));
    }
    levels[name] = level;
  }
  // Below that there are no levels but its own.
  if (levels[metadata::kMetadataVersion] < metadata::kFeaturesLevel) {
    std::erase_if(levels, [](const auto& pair) {
      return pair.first != metadata::kMetadataVersion;
    });
  }
  return levels;
}

// With whom and at which levels a new cluster begins.
struct Beginning {
  io::InitialFeatures features;
  std::vector<io::InitialCredential> credentials;
  std::vector<io::InitialVoter> voters;
};

Result<std::vector<io::InitialCredential>> InitialCredentials(
    const StorageOptions& options, const io::InitialFeatures& features) {
  std::vector<io::InitialCredential> out;
  if (options.scram.empty()) return out;
  if (features.at(metadata::kMetadataVersion) < metadata::kSecurityLevel) {
    return Fail(ErrorCode::kInvalidRequest,
                std::string("--add-scram needs ") + metadata::kMetadataVersion +
                    "=" + std::to_string(metadata::kSecurityLevel));
  }
  for (const std::string& text : options.scram) {
    TM_ASSIGN_OR_RETURN(auto credential, ParseAddScram(text));
    for (const auto& other : out) {
      if (other.user != credential.user ||
          other.mechanism != credential.mechanism) {
        continue;
      }
      return Fail(ErrorCode::kInvalidRequest,
                  "--add-scram: a user is given twice");
    }
    out.push_back(std::move(credential));
  }
  return out;
}

// The directory's owner, made now unless it has one that is fine.
Result<io::MetaProperties> FormatOne(const std::string& dir,
                                     const StorageOptions& options,
                                     const std::string& cluster_id,
                                     NodeId node_id, io::Use use,
                                     const Beginning& beginning) {
  const auto& all = beginning.voters;
  bool formatted = std::filesystem::exists(std::filesystem::path(dir) /
                                           io::kMetaPropertiesFile);
  if (formatted && options.ignore_formatted) {
    return io::LoadMetaProperties(dir, options.cluster_id, node_id);
  }
  const auto self = std::find_if(
      all.begin(), all.end(),
      [&](const io::InitialVoter& voter) { return voter.id == node_id; });
  if (use != io::Use::kMetadata || options.no_initial_controllers)
    return io::FormatDirectory(dir, cluster_id, node_id, use);
  // First: a directory that is formatted is complete.
  const bool begins = self != all.end();
  return io::FormatDirectory(
      dir, cluster_id, node_id, use, begins ? self->directory : Uuid(),
      [&]() -> Status {
        TM_RETURN_IF_ERROR(io::SaveInitialFeatures(dir, beginning.features));
        if (!beginning.credentials.empty()) {
          TM_RETURN_IF_ERROR(
              io::SaveInitialCredentials(dir, beginning.credentials));
        }
        return begins ? io::SaveInitialVoters(dir, all) : Status();
      });
}

Status FormatStorage(const Context& context, const StorageOptions& options) {
  TM_ASSIGN_OR_RETURN(Config config, LoadConfig(options));
  std::string cluster_id = options.cluster_id;
  if (cluster_id.empty()) cluster_id = ToString(Uuid::Random());
  TM_ASSIGN_OR_RETURN(NodeId node_id, NodeIdOf(config));
  TM_ASSIGN_OR_RETURN(auto dirs, DirectoriesOf(config));
  Beginning beginning;
  TM_ASSIGN_OR_RETURN(beginning.voters,
                      InitialVoters(options, config, node_id));
  TM_ASSIGN_OR_RETURN(beginning.features, InitialFeatures(options));
  TM_ASSIGN_OR_RETURN(beginning.credentials,
                      InitialCredentials(options, beginning.features));
  Json json = Json::array();
  for (const std::string& dir : dirs) {
    TM_ASSIGN_OR_RETURN(
        auto meta, FormatOne(dir, options, cluster_id, node_id,
                             UseOf(dir, dirs, config, node_id), beginning));
    json.push_back(ToJson(dir, meta));
    if (context.format == Format::kTable) {
      Print("formatted " + dir + " for node " + std::to_string(meta.node_id) +
            " of cluster " + meta.cluster_id);
    }
  }
  if (context.format == Format::kJson) PrintJson(json);
  return {};
}

Status ShowStorage(const Context& context, const StorageOptions& options) {
  std::vector<std::string> dirs;
  if (!options.path.empty()) dirs.push_back(options.path);
  if (!options.config.empty()) {
    TM_ASSIGN_OR_RETURN(Config config, LoadConfig(options));
    TM_ASSIGN_OR_RETURN(dirs, DirectoriesOf(config));
  }
  if (dirs.empty()) {
    return Fail(ErrorCode::kInvalidRequest,
                "name a directory, or --config server.properties");
  }
  Json json = Json::array();
  Table table({"DIRECTORY", "CLUSTER", "NODE", "DIRECTORY ID"});
  for (const std::string& dir : dirs) {
    TM_ASSIGN_OR_RETURN(auto meta, io::LoadMetaProperties(dir));
    json.push_back(ToJson(dir, meta));
    table.Add({dir, meta.cluster_id, std::to_string(meta.node_id),
               ToString(meta.directory_id)});
  }
  if (context.format == Format::kJson) {
    PrintJson(json);
  } else {
    Print(table);
  }
  return {};
}

Status NewUuid(const Context& context) {
  std::string id = ToString(Uuid::Random());
  if (context.format == Format::kJson) {
    PrintJson({{"uuid", id}});
  } else {
    Print(id);
  }
  return {};
}

}  // namespace

void AddStorageCommands(CLI::App& app, Context& context) {
  auto options = std::make_shared<StorageOptions>();
  auto* noun = AddNoun(app, "storage", "The data directories of this machine");
  auto* format = AddCommand(
      *noun, context, "format", "Give directories to a node of a cluster",
      [&context, options] { return FormatStorage(context, *options); });
  format
      ->add_option("--config", options->config, "The node's server.properties")
      ->required();
  format->add_option(
      "--cluster-id", options->cluster_id,
      "The same for all nodes of a cluster (default: a new one)");
  format->add_flag("--ignore-formatted", options->ignore_formatted,
                   "Leave directories alone that are this node's already");
  format->add_flag("-s,--standalone", options->standalone,
                   "This controller begins a quorum of its own");
  format->add_option("-I,--initial-controllers", options->initial_controllers,
                     "The quorum begins with these: "
                     "id@host:port:directory-id,...");
  format->add_flag("-N,--no-initial-controllers",
                   options->no_initial_controllers,
                   "This controller is let into a quorum that is there");
  format->add_option("--feature", options->features,
                     "The level that a new cluster begins with: "
                     "metadata.version=N (default: the newest)");
  format->add_option("-S,--add-scram", options->scram,
                     "A user of a new cluster: "
                     "SCRAM-SHA-256=[name=NAME,password=PASSWORD]");
  auto* info = AddCommand(
      *noun, context, "info", "Show whom directories belong to",
      [&context, options] { return ShowStorage(context, *options); });
  info->add_option("directory", options->path, "One directory");
  info->add_option("--config", options->config,
                   "All directories of this server.properties instead");
  for (auto* command : {format, info}) {
    command->add_option("--override", options->overrides,
                        "A setting instead of the file's: key=value");
  }
  AddCommand(*noun, context, "random-uuid", "Print a new cluster id",
             [&context] { return NewUuid(context); });
}

}  // namespace tidemark::cli
