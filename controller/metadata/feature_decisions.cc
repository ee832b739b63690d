#include "controller/metadata/feature_decisions.h"

#include <algorithm>
#include <utility>

#include "common/metadata/apply.h"

namespace tidemark::controller {
namespace {

using metadata::Feature;
using metadata::Image;
using Update = admin_v1::UpdateFeaturesRequest::Update;
using Request = admin_v1::UpdateFeaturesRequest;

std::string NameOf(const FeatureNode& node) {
  return (node.controller ? "controller " : "broker ") +
         std::to_string(node.id);
}

std::string ToText(const LevelRange& range) {
  return std::to_string(range.min) + " to " + std::to_string(range.max);
}

record_v1::Record SetFeature(const std::string& name, int32_t level) {
  record_v1::Record record;
  record.mutable_set_feature()->set_name(name);
  record.mutable_set_feature()->set_level(level);
  return record;
}

Status Refuse(const std::string& name, int32_t level, const std::string& why) {
  return Fail(ErrorCode::kInvalidUpdateVersion,
              "Invalid update version " + std::to_string(level) +
                  " for feature " + name + ". " + why);
}

Status CheckAllSupport(const FeatureFacts& facts, const std::string& name,
                       int32_t level) {
  for (const FeatureNode& node : facts.nodes) {
    if (!node.said) {
      return Refuse(name, level,
                    NameOf(node) +
                        " has not said what it supports. Start it, or " +
                        (node.controller ? "remove it from the quorum."
                                         : "unregister it."));
    }
    const auto range = metadata::RangeOf(*node.said, name);
    if (range && range->Contains(level)) continue;
    return Refuse(name, level,
                  NameOf(node) + " supports " +
                      (range ? ToText(*range) : std::string("none of it")) +
                      ". Upgrade it first.");
  }
  if (facts.adding.empty()) return {};
  return Refuse(name, level,
                "Controller " + std::to_string(facts.adding.front()) +
                    " is being added to the quorum. Try again when it is.");
}

// What has to go with metadata.version before a lower one is in force.
void ForgetAbove(const Image& state, int32_t level, Records* out) {
  if (level >= metadata::kFeaturesLevel) return;
  for (const auto& [id, broker] : state.brokers()) {
    if (broker->features.empty()) continue;
    record_v1::ChangeBroker* change =
        out->emplace_back().mutable_change_broker();
    change->set_broker_id(id);
    change->set_broker_epoch(broker->epoch);
    change->mutable_features();
  }
  for (const auto& [name, now] : state.features().levels()) {
    if (name == metadata::kMetadataVersion) continue;
    out->push_back(SetFeature(name, metadata::FindFeature(name)->assumed));
  }
}

Status CheckDirection(const Update& update, int16_t now) {
  if (update.kind() != Request::UPGRADE &&
      update.kind() != Request::SAFE_DOWNGRADE &&
      update.kind() != Request::UNSAFE_DOWNGRADE) {
    return Fail(ErrorCode::kInvalidRequest,
                "an update is an upgrade, a safe downgrade or an unsafe one");
  }
  const bool up = update.kind() == Request::UPGRADE;
  if (up && update.level() < now) {
    return Refuse(update.name(), update.level(),
                  "Can't downgrade the version of this feature without setting "
                  "the upgrade type to either safe or unsafe downgrade.");
  }
  if (!up && update.level() > now) {
    return Refuse(update.name(), update.level(),
                  "Can't downgrade to a newer version.");
  }
  return {};
}

Status UpdateKraft(const Update& update, const FeatureFacts& facts,
                   int16_t now) {
  if (update.level() < now) {
    return Refuse(update.name(), update.level(),
                  "The voters are in the log, and stay there.");
  }
  if (facts.voters_in_log) return {};
  return Refuse(update.name(), update.level(),
                "The quorum writes its voters into the log by itself, as soon "
                "as its leader has met all of them.");
}

Status UpdateOne(const Image& state, const FeatureFacts& facts,
                 const Update& update, Records* out) {
  const Feature* feature = metadata::FindFeature(update.name());
  if (feature == nullptr) {
    return Refuse(update.name(), update.level(),
                  "The active controller does not support this feature.");
  }
  if (!feature->supported.Contains(update.level())) {
    const bool metadata = update.name() == metadata::kMetadataVersion;
    return Refuse(update.name(), update.level(),
                  "The active controller supports " +
                      ToText(feature->supported) +
                      (metadata ? "; the levels are tidemark's own, and no "
                                  "release of Kafka stands for one."
                                : "."));
  }
  const int16_t now = state.features().LevelOf(update.name());
  TM_RETURN_IF_ERROR(CheckDirection(update, now));
  if (update.level() == now) return {};
  if (update.name() == metadata::kKraftVersion) {
    TM_RETURN_IF_ERROR(UpdateKraft(update, facts, now));
  }
  TM_RETURN_IF_ERROR(CheckAllSupport(facts, update.name(), update.level()));
  if (update.name() == metadata::kMetadataVersion && update.level() < now) {
    ForgetAbove(state, update.level(), out);
  }
  out->push_back(SetFeature(update.name(), update.level()));
  return {};
}

// That everything fits the level that the records lead to.
Status CheckOutcome(const Image& state, const Records& records) {
  auto base = std::make_shared<Image>(state);
  metadata::ImageBuilder builder(std::move(base));
  for (const record_v1::Record& record : records) {
    TM_RETURN_IF_ERROR(builder.Apply(record, state.offset() + 1));
  }
  const auto image = builder.Build(state.offset() + 1, nullptr);
  const int16_t level = image->features().metadata_version();
  const std::string above = KindAbove(*image, level);
  if (above.empty()) return {};
  return Refuse(metadata::kMetadataVersion, level,
                "The metadata have records that this level does not allow (" +
                    above + "); no downgrade takes them out" +
                    (level < metadata::kMovesLevel
                         ? ". Let partitions that move arrive or cancel their "
                           "moves, and delete the settings of groups."
                     : level < metadata::kSecurityLevel
                         ? ". Delete access control lists and the "
                           "credentials of users."
                         : "."));
}

Status UpdateAll(const Image& state, const FeatureFacts& facts,
                 const Request& request, Records* out) {
  std::vector<std::string> names;
  for (const Update& update : request.updates()) {
    if (std::find(names.begin(), names.end(), update.name()) != names.end()) {
      return Fail(ErrorCode::kInvalidRequest,
                  "feature " + update.name() + " is given twice");
    }
    names.push_back(update.name());
  }
  // Others may need the metadata.version that comes with them.
  for (const bool first : {true, false}) {
    for (const Update& update : request.updates()) {
      if ((update.name() == metadata::kMetadataVersion) != first) continue;
      TM_RETURN_IF_ERROR(UpdateOne(state, facts, update, out));
    }
  }
  if (out->empty()) return {};
  TM_RETURN_IF_ERROR(CheckLevels(*out, state));
  return CheckOutcome(state, *out);
}

}  // namespace

Status CheckLevels(const Records& records, const Image& state) {
  int32_t level = state.features().metadata_version();
  for (const record_v1::Record& record : records) {
    const int16_t required = metadata::RequiredLevel(record);
    int32_t allowed = level;
    if (record.has_set_feature() &&
        record.set_feature().name() == metadata::kMetadataVersion) {
      // The one that raises the level is of that level, the one that lowers it
      // of the level before.
      level = record.set_feature().level();
      allowed = std::max(allowed, level);
    }
    if (required <= allowed) continue;
    return Fail(ErrorCode::kUnsupportedVersion,
                "this needs metadata.version " + std::to_string(required) +
                    " (" + metadata::KindOf(record) +
                    "), and the cluster works at " + std::to_string(allowed) +
                    ": when all nodes run a release that supports it, tidemark "
                    "features upgrade");
  }
  return {};
}

bool RemembersFeatures(const Image& state) {
  return state.features().metadata_version() >= metadata::kFeaturesLevel;
}

Status CheckSupports(const Image& state, const std::string& who,
                     const FeatureRanges& said) {
  for (const Feature& feature : metadata::Features()) {
    const int16_t level = state.features().LevelOf(feature.name);
    const auto range = metadata::RangeOf(said, feature.name);
    // What is off asks nothing of anyone.
    if (level == 0 || (range && range->Contains(level))) continue;
    return Fail(ErrorCode::kUnsupportedVersion,
                who + " supports " + feature.name + " " +
                    (range ? ToText(*range) : "not at all") +
                    ", and the cluster works at " + std::to_string(level) +
                    ": run the release that the others run");
  }
  return {};
}

Result<Decision<admin_v1::UpdateFeaturesResponse>> Decide(
    const View& view, const Request& request) {
  if (request.updates_size() > static_cast<int>(kMaxFeatures)) {
    return Fail(
        ErrorCode::kPolicyViolation,
        "one request may name " + std::to_string(kMaxFeatures) + " features");
  }
  if (request.updates().empty()) {
    return Fail(ErrorCode::kInvalidRequest, "no feature is named");
  }
  Decision<admin_v1::UpdateFeaturesResponse> out;
  const Status all =
      UpdateAll(view.image, *view.features, request, &out.records);
  if (!all || request.validate_only()) out.records.clear();
  for (const Update& update : request.updates()) {
    auto* result = out.response.add_results();
    result->set_name(update.name());
    if (all) continue;
    result->set_code(static_cast<int32_t>(all.error().code));
    result->set_message(
        "The update failed for all features since the following feature had "
        "an error: " +
        all.error().message);
  }
  return out;
}

Records DecideOwnFeatures(const View& view, const BootstrapLevels& bootstrap) {
  const Image& state = view.image;
  const FeatureFacts& facts = *view.features;
  Records out;
  const auto all_support = [&](const auto& levels) {
    return std::ranges::all_of(levels, [&](const auto& pair) {
      return CheckAllSupport(facts, pair.first, pair.second).has_value();
    });
  };
  int16_t level = state.features().metadata_version();
  const auto wanted = bootstrap.find(metadata::kMetadataVersion);
  if (wanted != bootstrap.end() && wanted->second > level &&
      all_support(bootstrap)) {
    level = wanted->second;
    out.push_back(SetFeature(metadata::kMetadataVersion, level));
    for (const auto& [name, now] : bootstrap) {
      if (name == metadata::kMetadataVersion ||
          now == metadata::FindFeature(name)->assumed) {
        continue;
      }
      out.push_back(SetFeature(name, now));
    }
  }
  if (level >= metadata::kFeaturesLevel && facts.voters_in_log &&
      state.features().LevelOf(metadata::kKraftVersion) == 0 &&
      CheckAllSupport(facts, metadata::kKraftVersion, metadata::kVotersInLog)) {
    out.push_back(SetFeature(metadata::kKraftVersion, metadata::kVotersInLog));
  }
  return out;
}

Status CheckSize(const admin_v1::DescribeFeaturesRequest&) { return {}; }

admin_v1::DescribeFeaturesResponse Describe(
    const View& view, const admin_v1::DescribeFeaturesRequest&) {
  const Image& state = view.image;
  const FeatureFacts& facts = *view.features;
  admin_v1::DescribeFeaturesResponse out;
  out.set_epoch(state.offset());
  for (const Feature& feature : metadata::Features()) {
    auto* to = out.add_features();
    to->set_name(feature.name);
    to->set_min_level(feature.supported.min);
    to->set_max_level(feature.supported.max);
    to->set_level(state.features().LevelOf(feature.name));
  }
  for (const FeatureNode& node : facts.nodes) {
    auto* to = out.add_nodes();
    to->set_id(node.id);
    to->set_controller(node.controller);
    to->set_known(node.said.has_value());
    if (!node.said) continue;
    FeatureRanges ranges;
    for (const Feature& feature : metadata::Features()) {
      if (auto range = metadata::RangeOf(*node.said, feature.name)) {
        ranges[feature.name] = *range;
      }
    }
    WriteFeatures(ranges, to->mutable_features());
  }
  return out;
}

// Partitions that do not move, settings of topics and brokers, producer ids and
// answers have nothing that the base level does not allow, and are many: they
// are not looked through.
std::string KindAbove(const Image& state, int16_t level) {
  std::string above;
  const metadata::RecordSink look = [&](const record_v1::Record& record) {
    if (above.empty() && metadata::RequiredLevel(record) > level) {
      above = metadata::KindOf(record);
    }
  };
  state.features().ToRecords(look);
  state.brokers().ToRecords(look);
  if (level < metadata::kSecurityLevel && state.acls().size() > 0) {
    return "access control lists";
  }
  if (level < metadata::kSecurityLevel && state.scram().size() > 0) {
    return "credentials of users";
  }
  if (level >= metadata::kMovesLevel || !above.empty()) return above;
  if (!state.topics().moving().empty()) return "partitions that move";
  for (const auto type : {metadata::ResourceType::kClientMetrics,
                          metadata::ResourceType::kGroup}) {
    if (!state.configs().Names(type).empty()) return "settings of groups";
  }
  return above;
}

}  // namespace tidemark::controller
