#include "broker/kafka/handlers/config_changes.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "broker/kafka/handlers/config_view.h"
#include "broker/metadata/broker_config.h"
#include "broker/metadata/controller_client.h"
#include "broker/metadata/dynamic_settings.h"
#include "broker/metadata/image_holder.h"
#include "common/base/utf8.h"
#include "common/metadata/configs.h"

namespace tidemark::server {
namespace {

using metadata::ResourceType;

constexpr Duration kTimeout = std::chrono::seconds(30);

bool IsBroker(int32_t type) {
  return type == static_cast<int32_t>(ResourceType::kBroker);
}

// Settings that a broker reads when it starts.
Status CheckDynamic(std::string_view key) {
  const auto is_key = [&](const ConfigKey& known) { return known.name == key; };
  if (std::ranges::none_of(BrokerConfigKeys(), is_key) ||
      std::ranges::any_of(metadata::DynamicBrokerConfigKeys(), is_key)) {
    return {};
  }
  return Fail(
      ErrorCode::kInvalidRequest,
      "Cannot update these configs dynamically: [" + std::string(key) + "]");
}

// What Kafka's brokers say of their cleaners (LogCleaner, KafkaConfig), in its
// words. What is no number is refused by the controllers.
Status CheckCleaner(
    const DynamicSettings& now,
    const admin::v1::AlterConfigsRequest::ResourceChanges& wanted) {
  constexpr std::string_view kThreads = "log.cleaner.threads";
  constexpr std::string_view kDedupe = "log.cleaner.dedupe.buffer.size";
  const int64_t current = now.GetInt(kThreads);
  int64_t threads = current, dedupe = now.GetInt(kDedupe);
  bool set = false;
  for (const auto& change : wanted.changes()) {
    if (change.op() != admin::v1::SET) continue;
    int64_t* const value = change.key() == kThreads  ? &threads
                           : change.key() == kDedupe ? &dedupe
                                                     : nullptr;
    if (value == nullptr) continue;
    const std::string& text = change.value();
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), *value);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    set = true;
  }
  if (!set) return {};
  const auto refuse = [](const std::string& why) {
    return Fail(ErrorCode::kInvalidRequest,
                "Invalid value org.apache.kafka.common.config.ConfigException: "
                "Log cleaner threads " +
                    why + " for configuration Invalid dynamic configuration");
  };
  if (threads < 1) return refuse("should be at least 1");
  if (threads < current / 2) {
    return refuse("cannot be reduced to less than half the current value " +
                  std::to_string(current));
  }
  if (threads / 2 > current || threads > current * 2) {
    return refuse("cannot be increased to more than double the current value " +
                  std::to_string(current));
  }
  if (dedupe / threads <= int64_t{1} << 20) {
    return Fail(ErrorCode::kInvalidRequest,
                "requirement failed: log.cleaner.dedupe.buffer.size must be at "
                "least 1MB per cleaner thread.");
  }
  return {};
}

Status Check(int8_t type, const std::string& name,
             const std::vector<ConfigChanges::Entry>& entries) {
  constexpr ResourceType kChangeable[] = {
      ResourceType::kTopic, ResourceType::kBroker, ResourceType::kClientMetrics,
      ResourceType::kGroup};
  if (std::ranges::count(kChangeable, static_cast<ResourceType>(type)) == 0) {
    return Fail(ErrorCode::kInvalidRequest,
                "Settings of resource type " + std::to_string(type) +
                    " cannot be changed: 2 (topic), 4 (broker), 16 (client "
                    "metrics) and 32 (group) can.");
  }
  if (!IsUtf8(name)) {
    return Fail(type == static_cast<int8_t>(ResourceType::kTopic)
                    ? ErrorCode::kUnknownTopicOrPartition
                    : ErrorCode::kInvalidRequest,
                "The resource's name is not valid UTF-8.");
  }
  std::set<std::string> keys;
  for (const auto& entry : entries) {
    if (!keys.insert(entry.key).second) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Error due to duplicate config keys: " + entry.key);
    }
    if (entry.operation < 0 || entry.operation > 3) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Unknown operation type " + std::to_string(entry.operation) +
                      ": 0 (set), 1 (delete), 2 (append), 3 (subtract).");
    }
    if (!entry.value && entry.operation != admin::v1::DELETE) {
      return Fail(ErrorCode::kInvalidRequest,
                  "Null value not supported for: " + entry.key);
    }
    TM_RETURN_IF_ERROR(CheckConfigText(entry.key, entry.value.value_or("")));
    if (IsBroker(type)) TM_RETURN_IF_ERROR(CheckDynamic(entry.key));
  }
  return {};
}

}  // namespace

void ConfigChanges::Add(int8_t type, const std::string& name,
                        const std::vector<Entry>& entries, bool replace) {
  const auto [found, is_new] =
      outcomes_.emplace(Key(type, name), Error{ErrorCode::kNone, ""});
  if (!is_new) {
    found->second = {ErrorCode::kInvalidRequest,
                     "Each resource must appear at most once."};
    return;
  }
  if (Status checked = Check(type, name, entries); !checked) {
    found->second = checked.error();
    return;
  }
  auto* resource = ask_.add_resources();
  resource->mutable_resource()->set_type(type);
  resource->mutable_resource()->set_name(name);
  resource->set_replace(replace);
  for (const Entry& entry : entries) {
    auto* change = resource->add_changes();
    change->set_key(entry.key);
    change->set_op(static_cast<admin::v1::ConfigOp>(entry.operation));
    change->set_value(entry.value.value_or(""));
  }
}

void ConfigChanges::Send(std::shared_ptr<ConfigChanges> changes,
                         const RequestContext& context, Done done) {
  auto& ask = changes->ask_;
  const metadata::ImagePtr image = context.services->metadata->Get();
  const DynamicSettings settings(*context.services->config, *image);
  for (const auto& resource : ask.resources()) {
    if (!IsBroker(resource.resource().type())) continue;
    if (Status checked = CheckCleaner(settings, resource); !checked) {
      changes->outcomes_[{resource.resource().type(),
                          resource.resource().name()}] = checked.error();
    }
  }
  // Neither of two of the same name.
  const auto refused = [&](const Resource& resource) {
    return changes->outcomes_
               .at({resource.resource().type(), resource.resource().name()})
               .code != ErrorCode::kNone;
  };
  auto* resources = ask.mutable_resources();
  resources->erase(
      std::remove_if(resources->begin(), resources->end(), refused),
      resources->end());
  if (ask.resources().empty()) return done(*changes);
  context.services->controller->AlterConfigs(
      ask, kTimeout,
      [changes, done](const Result<admin::v1::AlterConfigsResponse>& answer) {
        changes->Take(answer);
        done(*changes);
      });
}

void ConfigChanges::Take(
    const Result<admin::v1::AlterConfigsResponse>& answer) {
  for (const auto& resource : ask_.resources()) {
    outcomes_[{resource.resource().type(), resource.resource().name()}] =
        answer ? Error{ErrorCode::kUnknownServerError, ""} : answer.error();
  }
  if (!answer) return;
  for (const auto& result : answer->resources()) {
    const Key key{result.resource().type(), result.resource().name()};
    auto code = static_cast<ErrorCode>(result.code());
    // Of brokers Kafka says so for bad values too.
    if (IsBroker(key.first) && code == ErrorCode::kInvalidConfig) {
      code = ErrorCode::kInvalidRequest;
    }
    outcomes_[key] = {code, result.message()};
  }
}

Error ConfigChanges::OutcomeOf(int8_t type, const std::string& name) const {
  const auto found = outcomes_.find({type, name});
  return found == outcomes_.end() ? Error{ErrorCode::kUnknownServerError, ""}
                                  : found->second;
}

}  // namespace tidemark::server
