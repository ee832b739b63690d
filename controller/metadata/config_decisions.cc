#include "controller/metadata/config_decisions.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "common/metadata/client_match.h"
#include "common/metadata/configs.h"
#include "common/metadata/features.h"
#include "common/metadata/throttled_replicas.h"
#include "controller/metadata/limits.h"

namespace tidemark::controller {
namespace {

using metadata::Image;
using metadata::Resource;
using metadata::ResourceType;
using Change = admin_v1::AlterConfigsRequest::Change;

const ConfigKey* FindKey(std::span<const ConfigKey> keys,
                         std::string_view name) {
  auto found =
      std::find_if(keys.begin(), keys.end(),
                   [&](const ConfigKey& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

constexpr size_t kMaxNameBytes = 256;

tl::unexpected<Error> UnknownKey(std::span<const ConfigKey> keys,
                                 const std::string& name, const char* what) {
  // Quoted as far as it could be a name.
  std::string message = std::string("Unknown ") + what +
                        " config name: " + name.substr(0, kMaxNameBytes);
  if (auto near = NearestKey(keys, name); !near.empty()) {
    message += "; did you mean " + std::string(near) + "?";
  }
  return Fail(ErrorCode::kInvalidConfig, std::move(message));
}

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> out;
  size_t from = 0;
  while (from <= text.size() && !text.empty()) {
    size_t end = std::min(text.find(',', from), text.size());
    if (end > from) out.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

std::string JoinList(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += ',';
    out += part;
  }
  return out;
}

// The list in `value` with the elements of `change` added or removed; each
// element is in it once.
std::string EditList(const std::string& value, const Change& change) {
  std::vector<std::string> parts;
  for (std::string& part : SplitList(value)) {
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) {
      parts.push_back(std::move(part));
    }
  }
  for (const std::string& part : SplitList(change.value())) {
    auto found = std::find(parts.begin(), parts.end(), part);
    if (change.op() == admin_v1::APPEND && found == parts.end()) {
      parts.push_back(part);
    } else if (change.op() == admin_v1::SUBTRACT && found != parts.end()) {
      parts.erase(found);
    }
  }
  return JoinList(parts);
}

// Every value that is stored goes to Kafka clients, whose strings end at 32,767
// bytes; and no setting needs nearly as many.
constexpr size_t kMaxValueBytes = 4096;
// But for lists of replicas.
constexpr size_t kMaxListBytes = 32'000;

template <class T>
Status Outcome(const Result<T>& result) {
  return result ? Status() : Fail(result.error());
}

Status CheckValue(const ConfigKey& key, const std::string& value) {
  const bool replicas = key.name.ends_with(".replication.throttled.replicas");
  const size_t most = replicas ? kMaxListBytes : kMaxValueBytes;
  if (value.size() > most) {
    return Fail(ErrorCode::kInvalidConfig,
                "Invalid value for configuration " + std::string(key.name) +
                    ": " + std::to_string(value.size()) +
                    " bytes are more than the limit of " +
                    std::to_string(most));
  }
  TM_RETURN_IF_ERROR(ValidateConfig(key, value));
  if (key.name == "match") return Outcome(metadata::ParseClientMatch(value));
  if (replicas) return metadata::CheckThrottledReplicas(key.name, value);
  return metadata::CheckHasEffect(key.name, value);
}

// Anybody may give settings to groups, which need not be there, and make
// subscriptions to clients' metrics, all of which are looked at for any client.
constexpr size_t kMaxGroups = 10'000;
constexpr size_t kMaxSubscriptions = 100;

// Of a resource that is there when it has settings.
Status CheckName(const Image& state, const Resource& group, const char* what,
                 const char* unnamed) {
  if (state.features().metadata_version() < metadata::kMovesLevel) {
    return Fail(ErrorCode::kUnsupportedVersion,
                "settings of " + std::string(what) +
                    "s need metadata.version " +
                    std::to_string(metadata::kMovesLevel) +
                    ": when all nodes run a release that supports it, tidemark "
                    "features upgrade");
  }
  if (group.name.empty()) {
    return Fail(ErrorCode::kInvalidRequest, unnamed);
  }
  if (group.name.size() > kMaxText) {
    return Fail(ErrorCode::kInvalidRequest,
                "the " + std::string(what) + "'s name is too long");
  }
  return {};
}

// How many more of a type may get settings. They are counted once for a
// request.
class Room {
 public:
  Room(const Image& image, ResourceType type, size_t most, const char* what)
      : image_(image), type_(type), most_(most), what_(what) {}

  Status Check(const admin_v1::Resource& resource) {
    if (!IsNew(resource)) return {};
    if (!counted_) {
      counted_ = true;
      count_ = image_.configs().Names(type_).size();
    }
    if (count_ < most_) return {};
    return Fail(ErrorCode::kPolicyViolation,
                std::to_string(most_) + " " + what_ +
                    "s have settings: delete those of others first");
  }
  void Take(const admin_v1::Resource& resource) {
    if (IsNew(resource)) ++count_;
  }

 private:
  bool IsNew(const admin_v1::Resource& resource) const {
    return resource.type() == static_cast<int32_t>(type_) &&
           image_.FindConfigs({type_, resource.name()}) == nullptr;
  }

  const Image& image_;
  const ResourceType type_;
  const size_t most_;
  const char* const what_;
  bool counted_ = false;
  size_t count_ = 0;
};

Status CheckBroker(const Image& state, const Resource& resource) {
  if (resource.name.empty()) return {};
  NodeId id = kNoNode;
  const char* end = resource.name.data() + resource.name.size();
  auto [stop, error] = std::from_chars(resource.name.data(), end, id);
  // "007" would be kept under a name at which nobody looks.
  if (error != std::errc() || stop != end ||
      std::to_string(id) != resource.name) {
    return Fail(ErrorCode::kInvalidRequest,
                "broker name must be a number, not '" + resource.name + "'");
  }
  if (state.FindBroker(id) == nullptr) {
    return Fail(ErrorCode::kBrokerIdNotRegistered,
                "broker " + resource.name + " is not registered");
  }
  return {};
}

// Of a resource that may have settings.
Result<Resource> ReadResource(const Image& state,
                              const admin_v1::Resource& from) {
  Resource resource{static_cast<ResourceType>(from.type()), from.name()};
  switch (from.type()) {
    case static_cast<int32_t>(ResourceType::kTopic):
      if (state.FindTopic(resource.name) != nullptr) return resource;
      return Fail(ErrorCode::kUnknownTopicOrPartition,
                  "The topic '" + resource.name + "' does not exist.");
    case static_cast<int32_t>(ResourceType::kBroker):
      TM_RETURN_IF_ERROR(CheckBroker(state, resource));
      return resource;
    case static_cast<int32_t>(ResourceType::kGroup):
      TM_RETURN_IF_ERROR(CheckName(state, resource, "group",
                                   "Default group resources are not allowed."));
      return resource;
    case static_cast<int32_t>(ResourceType::kClientMetrics):
      TM_RETURN_IF_ERROR(
          CheckName(state, resource, "client-metrics resource",
                    "Client metrics subscription name must not be empty"));
      return resource;
    default:
      return Fail(ErrorCode::kInvalidRequest,
                  "only topics (2), brokers (4), client metrics (16) and "
                  "groups (32) have configurations");
  }
}

struct Known {
  std::span<const ConfigKey> keys;
  const char* what;
};

Known KnownOf(ResourceType type) {
  if (type == ResourceType::kTopic) {
    return {metadata::TopicConfigKeys(), "topic"};
  }
  if (type == ResourceType::kGroup) {
    return {metadata::GroupConfigKeys(), "group"};
  }
  if (type == ResourceType::kClientMetrics) {
    return {metadata::ClientMetricsConfigKeys(), "client metrics"};
  }
  return {metadata::DynamicBrokerConfigKeys(), "broker"};
}

record_v1::Record RecordOf(const Resource& resource, const std::string& key) {
  record_v1::Record record;
  record_v1::SetConfig* set = record.mutable_set_config();
  set->set_type(static_cast<record_v1::ResourceType>(resource.type));
  set->set_name(resource.name);
  set->set_key(key);
  return record;
}

// One resource's records, or why none is written.
Result<Records> DecideResource(
    const Image& state,
    const admin_v1::AlterConfigsRequest::ResourceChanges& wanted) {
  TM_ASSIGN_OR_RETURN(const Resource resource,
                      ReadResource(state, wanted.resource()));
  const Known known = KnownOf(resource.type);
  const Image::Configs* present = state.FindConfigs(resource);
  Records out;
  std::set<std::string> seen;
  for (const Change& change : wanted.changes()) {
    if (!seen.insert(change.key()).second) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Error due to duplicate config keys: " + change.key());
    }
    const ConfigKey* key = FindKey(known.keys, change.key());
    if (key == nullptr) return UnknownKey(known.keys, change.key(), known.what);
    record_v1::Record record = RecordOf(resource, change.key());
    record_v1::SetConfig* set = record.mutable_set_config();
    bool edits_list =
        change.op() == admin_v1::APPEND || change.op() == admin_v1::SUBTRACT;
    if (edits_list && key->type != ConfigType::kList) {
      return Fail(ErrorCode::kInvalidConfig,
                  "Can't append to or subtract from config " + change.key() +
                      ": it is not a list");
    }
    if (edits_list) {
      std::string value(key->default_value);
      if (present != nullptr && present->contains(change.key())) {
        value = present->at(change.key());
      }
      set->set_value(EditList(value, change));
    } else if (change.op() == admin_v1::SET) {
      set->set_value(change.value());
    } else if (change.op() != admin_v1::DELETE) {
      return Fail(ErrorCode::kInvalidRequest, "unknown operation");
    }
    if (set->has_value()) {
      TM_RETURN_IF_ERROR(CheckValue(*key, set->value()));
    }
    out.push_back(std::move(record));
  }
  if (!wanted.replace() || present == nullptr) return out;
  for (const auto& [key, value] : *present) {
    // Who replaces all that Kafka has does not mean what is only ours.
    if (seen.contains(key) || key.starts_with("tidemark.")) continue;
    out.push_back(RecordOf(resource, key));
  }
  return out;
}

}  // namespace

Status CheckTopicConfigs(const std::map<std::string, std::string>& configs) {
  auto keys = metadata::TopicConfigKeys();
  for (const auto& [name, value] : configs) {
    const ConfigKey* key = FindKey(keys, name);
    if (key == nullptr) return UnknownKey(keys, name, "topic");
    TM_RETURN_IF_ERROR(CheckValue(*key, value));
  }
  return {};
}

Decision<admin_v1::AlterConfigsResponse> Decide(
    const View& view, const admin_v1::AlterConfigsRequest& request) {
  Decision<admin_v1::AlterConfigsResponse> out;
  std::set<std::pair<int32_t, std::string>> seen;
  Room groups(view.image, ResourceType::kGroup, kMaxGroups, "group");
  Room subscriptions(view.image, ResourceType::kClientMetrics,
                     kMaxSubscriptions, "client-metrics resource");
  for (const auto& wanted : request.resources()) {
    auto* result = out.response.add_resources();
    *result->mutable_resource() = wanted.resource();
    Result<Records> records =
        Fail(ErrorCode::kInvalidRequest, "the resource is given twice");
    if (seen.insert({wanted.resource().type(), wanted.resource().name()})
            .second) {
      Status fits = groups.Check(wanted.resource());
      if (fits) fits = subscriptions.Check(wanted.resource());
      records = fits ? DecideResource(view.image, wanted)
                     : Result<Records>(Fail(fits.error()));
    }
    if (seen.size() > kMaxRecordsPerBatch) {
      records = Fail(ErrorCode::kPolicyViolation,
                     "too many resources in one request");
    }
    if (records && out.records.size() + records->size() > kMaxRecordsPerBatch) {
      records =
          Fail(ErrorCode::kPolicyViolation, "too many changes in one request");
    }
    if (!records) {
      result->set_code(static_cast<int32_t>(records.error().code));
      result->set_message(records.error().message);
      continue;
    }
    if (records->empty()) continue;
    groups.Take(wanted.resource());
    subscriptions.Take(wanted.resource());
    if (request.validate_only()) continue;
    std::move(records->begin(), records->end(),
              std::back_inserter(out.records));
  }
  out.effects.look_for_leaders = !out.records.empty();
  return out;
}

}  // namespace tidemark::controller
