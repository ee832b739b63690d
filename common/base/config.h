#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace tidemark {

enum class ConfigType {
  kString,
  kInt,
  kLong,
  kDouble,
  kBool,
  kList,
  kPassword,  // never shown
};

// One key a process or resource understands. Kafka's names and defaults.
struct ConfigKey {
  std::string_view name;
  ConfigType type = ConfigType::kString;
  std::string_view default_value;
  std::string_view documentation;
  // Inclusive bounds of kInt/kLong; ignored when min > max.
  int64_t min = 1;
  int64_t max = 0;
  // Allowed values of kString and elements of kList, '|' between; "": any.
  std::string_view allowed = {};
  bool required = false;
  // "listener.name.NAME.<name>" sets it for one listener.
  bool of_listeners = false;
};

// Checks one value against its key. Error kInvalidConfig, with key, value and
// what is allowed.
Status ValidateConfig(const ConfigKey& key, std::string_view value);

// Of ASCII.
std::string ToLower(std::string_view text);

// The known key closest in spelling, for "did you mean"; "" when none is near.
std::string_view NearestKey(std::span<const ConfigKey> keys,
                            std::string_view name);

// Java properties syntax: key=value, key: value, '#' and '!' comments,
// trailing '\' continues, \uXXXX and the usual escapes.
Result<std::map<std::string, std::string>> ParseProperties(
    std::string_view text);

// A process's settings: server.properties, then TIDEMARK_... environment
// variables (TIDEMARK_NODE_ID = node.id), then overrides "key=value"; the
// later wins. Immutable after Load.
class Config {
 public:
  struct Sources {
    std::string path;                      // "": no file
    std::vector<std::string> overrides;    // "key=value"
    std::vector<std::string> environment;  // "NAME=value", as in environ
    // Whoever serves nobody may ignore what asks for security.
    bool refuse_unknown_security = true;
  };
  // Unknown keys: a line in warnings() naming the nearest known one. Bad
  // values, missing required keys, and unknown ones that ask for security
  // (common/base/plaintext.h): kInvalidConfig.
  static Result<Config> Load(std::span<const ConfigKey> keys,
                             const Sources& sources);

  // REQUIRES: `name` is one of the keys, of that type.
  std::string GetString(std::string_view name) const;
  int64_t GetInt(std::string_view name) const;
  Duration GetMs(std::string_view name) const;  // of a number of ms
  double GetDouble(std::string_view name) const;
  bool GetBool(std::string_view name) const;
  std::vector<std::string> GetList(std::string_view name) const;
  // Set by a source, not by default.
  bool IsSet(std::string_view name) const;
  // Of a key that may be set for each listener: its own value, or everybody's.
  // Listeners' names are in any case, as in Kafka.
  std::string GetOfListener(std::string_view listener,
                            std::string_view name) const;
  // Those, in lower case, of which a key was set that begins so.
  std::set<std::string> ListenersWith(std::string_view beginning) const;
  std::vector<std::string> GetListOfListener(std::string_view listener,
                                             std::string_view name) const;
  const std::vector<std::string>& warnings() const { return warnings_; }
  std::span<const ConfigKey> keys() const { return keys_; }

 private:
  std::span<const ConfigKey> keys_;
  std::map<std::string, std::string, std::less<>> values_;
  std::vector<std::string> warnings_;
};

}  // namespace tidemark
