#include "common/base/config.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "common/base/plaintext.h"

namespace tidemark {
namespace {

std::string_view Trim(std::string_view text) {
  auto space = [](char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
  };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    if (auto part = Trim(text.substr(0, end)); !part.empty()) {
      out.emplace_back(part);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

const ConfigKey* Find(std::span<const ConfigKey> keys, std::string_view name) {
  for (const ConfigKey& key : keys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

constexpr std::string_view kOfListener = "listener.name.";

// Of "listener.name.NAME.<key>"; nullptr: it is none.
const ConfigKey* FindOfListener(std::span<const ConfigKey> keys,
                                std::string_view name) {
  if (!name.starts_with(kOfListener)) return nullptr;
  name.remove_prefix(kOfListener.size());
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const ConfigKey* key = Find(keys, name.substr(dot + 1));
  return key != nullptr && key->of_listeners ? key : nullptr;
}

std::optional<int64_t> ParseInt(std::string_view text) {
  int64_t value = 0;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> ParseDouble(std::string_view text) {
  std::string copy(text);
  char* end = nullptr;
  double value = std::strtod(copy.c_str(), &end);
  if (copy.empty() || *end != '\0') return std::nullopt;
  return value;
}

bool Allowed(std::string_view allowed, std::string_view value) {
  if (allowed.empty()) return true;
  auto options = Split(allowed, '|');
  return std::find(options.begin(), options.end(), value) != options.end();
}

tl::unexpected<Error> Invalid(const ConfigKey& key, std::string_view value,
                              const std::string& wanted) {
  return Fail(ErrorCode::kInvalidConfig,
              "Invalid value '" + std::string(value) + "' for configuration " +
                  std::string(key.name) + ": must be " + wanted);
}

Status ValidateNumber(const ConfigKey& key, std::string_view value) {
  auto number = ParseInt(value);
  int64_t low = INT64_MIN, high = INT64_MAX;
  if (key.type == ConfigType::kInt) low = INT32_MIN, high = INT32_MAX;
  if (key.min <= key.max) low = key.min, high = key.max;
  if (number && *number >= low && *number <= high) return {};
  return Invalid(key, value,
                 "a whole number from " + std::to_string(low) + " to " +
                     std::to_string(high));
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

// Undoes the escapes of one logical properties token.
Result<std::string> Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    char c = text[++i];
    switch (c) {
      case 't':
        out += '\t';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 'f':
        out += '\f';
        break;
      case 'u': {
        unsigned code = 0;
        auto hex = text.substr(i + 1, 4);
        auto [end, error] =
            std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
        if (hex.size() != 4 || error != std::errc() || end != hex.data() + 4) {
          return Fail(ErrorCode::kInvalidConfig,
                      "malformed \\uXXXX in properties");
        }
        if (code < 0x80) {
          out += static_cast<char>(code);
        } else if (code < 0x800) {
          out += static_cast<char>(0xc0 | (code >> 6));
          out += static_cast<char>(0x80 | (code & 0x3f));
        } else {
          out += static_cast<char>(0xe0 | (code >> 12));
          out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
          out += static_cast<char>(0x80 | (code & 0x3f));
        }
        i += 4;
        break;
      }
      default:
        out += c;
    }
  }
  return out;
}

// Lines joined at trailing odd backslashes, comments and blanks dropped.
std::vector<std::string> LogicalLines(std::string_view text) {
  std::vector<std::string> lines;
  std::string current;
  bool continued = false;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!continued && (line.empty() || line[0] == '#' || line[0] == '!')) {
      continue;
    }
    size_t slashes = line.size() - line.find_last_not_of('\\') - 1;
    continued = slashes % 2 == 1;
    if (continued) line.remove_suffix(1);
    current += line;
    if (!continued) lines.push_back(std::exchange(current, {}));
  }
  if (!current.empty()) lines.push_back(std::move(current));
  return lines;
}

// TIDEMARK_LOG_DIRS -> log.dirs; nullopt when not ours.
std::optional<std::string> KeyOfVariable(std::string_view name) {
  constexpr std::string_view kPrefix = "TIDEMARK_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  std::string key(name.substr(kPrefix.size()));
  for (char& c : key) {
    c = c == '_'
            ? '.'
            : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return key;
}

}  // namespace

std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return lower;
}

Status ValidateConfig(const ConfigKey& key, std::string_view value) {
  switch (key.type) {
    case ConfigType::kInt:
    case ConfigType::kLong:
      return ValidateNumber(key, value);
    case ConfigType::kDouble:
      if (!ParseDouble(value)) return Invalid(key, value, "a number");
      return {};
    case ConfigType::kBool:
      if (value != "true" && value != "false") {
        return Invalid(key, value, "true or false");
      }
      return {};
    case ConfigType::kPassword:
      return {};
    case ConfigType::kString:
      if (!Allowed(key.allowed, value)) {
        return Invalid(key, value, "one of " + std::string(key.allowed));
      }
      return {};
    case ConfigType::kList:
      for (const std::string& element : Split(value, ',')) {
        if (!Allowed(key.allowed, element)) {
          return Invalid(key, value, "a list of " + std::string(key.allowed));
        }
      }
      return {};
  }
  return {};
}

std::string_view NearestKey(std::span<const ConfigKey> keys,
                            std::string_view name) {
  constexpr size_t kLongestMisspelling = 256;
  if (name.size() > kLongestMisspelling) return {};
  std::string_view best;
  size_t best_distance = name.size() / 3 + 1;
  for (const ConfigKey& key : keys) {
    size_t distance = EditDistance(key.name, name);
    if (distance < best_distance) {
      best = key.name;
      best_distance = distance;
    }
  }
  return best;
}

Result<std::map<std::string, std::string>> ParseProperties(
    std::string_view text) {
  std::map<std::string, std::string> out;
  for (const std::string& line : LogicalLines(text)) {
    size_t split = 0;
    while (split < line.size() && line[split] != '=' && line[split] != ':' &&
           line[split] != ' ' && line[split] != '\t') {
      split += line[split] == '\\' ? 2 : 1;
    }
    split = std::min(split, line.size());
    std::string_view rest = Trim(std::string_view(line).substr(split));
    if (!rest.empty() && (rest[0] == '=' || rest[0] == ':')) {
      rest = Trim(rest.substr(1));
    }
    TM_ASSIGN_OR_RETURN(auto key,
                        Unescape(std::string_view(line).substr(0, split)));
    TM_ASSIGN_OR_RETURN(auto value, Unescape(rest));
    out[key] = value;
  }
  return out;
}

Result<Config> Config::Load(std::span<const ConfigKey> keys,
                            const Sources& sources) {
  Config config;
  config.keys_ = keys;
  auto set = [&](const std::string& name, const std::string& value,
                 const std::string& source) -> Status {
    const ConfigKey* key = Find(keys, name);
    if (key == nullptr) key = FindOfListener(keys, name);
    if (key == nullptr && sources.refuse_unknown_security &&
        AsksForSecurity(name, value)) {
      return Fail(ErrorCode::kInvalidConfig,
                  source + ": configuration '" + name +
                      "' asks for security that is not available yet, and "
                      "would be without effect; remove it to run without");
    }
    if (key == nullptr) {
      std::string warning =
          source + ": unknown configuration '" + name + "' is ignored";
      auto near = NearestKey(keys, name);
      if (!near.empty())
        warning += "; did you mean '" + std::string(near) + "'?";
      config.warnings_.push_back(warning);
      return {};
    }
    TM_RETURN_IF_ERROR(ValidateConfig(*key, value));
    config.values_[key->name == name ? name : ToLower(name)] = value;
    return {};
  };
  if (!sources.path.empty()) {
    std::ifstream file(sources.path);
    if (!file) {
      return Fail(ErrorCode::kInvalidConfig,
                  "cannot read configuration file " + sources.path);
    }
    std::stringstream text;
    text << file.rdbuf();
    TM_ASSIGN_OR_RETURN(auto properties, ParseProperties(text.str()));
    for (const auto& [name, value] : properties) {
      TM_RETURN_IF_ERROR(set(name, value, sources.path));
    }
  }
  for (const std::string& variable : sources.environment) {
    size_t split = variable.find('=');
    if (split == std::string::npos) continue;
    auto key = KeyOfVariable(std::string_view(variable).substr(0, split));
    if (key) {
      TM_RETURN_IF_ERROR(set(*key, variable.substr(split + 1), "environment"));
    }
  }
  for (const std::string& entry : sources.overrides) {
    size_t split = entry.find('=');
    if (split == std::string::npos) {
      return Fail(ErrorCode::kInvalidConfig,
                  "--override wants key=value, not '" + entry + "'");
    }
    TM_RETURN_IF_ERROR(
        set(entry.substr(0, split), entry.substr(split + 1), "--override"));
  }
  for (const ConfigKey& key : keys) {
    if (key.required && !config.IsSet(key.name)) {
      return Fail(ErrorCode::kInvalidConfig,
                  "missing required configuration " + std::string(key.name) +
                      " (" + std::string(key.documentation) + ")");
    }
  }
  return config;
}

std::string Config::GetString(std::string_view name) const {
  auto found = values_.find(name);
  if (found != values_.end()) return found->second;
  const ConfigKey* key = Find(keys_, name);
  return key == nullptr ? std::string() : std::string(key->default_value);
}

int64_t Config::GetInt(std::string_view name) const {
  return ParseInt(GetString(name)).value_or(0);
}

Duration Config::GetMs(std::string_view name) const {
  return MillisecondsOf(GetInt(name));
}

double Config::GetDouble(std::string_view name) const {
  return ParseDouble(GetString(name)).value_or(0);
}

bool Config::GetBool(std::string_view name) const {
  return GetString(name) == "true";
}

std::vector<std::string> Config::GetList(std::string_view name) const {
  return Split(GetString(name), ',');
}

bool Config::IsSet(std::string_view name) const {
  return values_.contains(name);
}

std::string Config::GetOfListener(std::string_view listener,
                                  std::string_view name) const {
  const auto own = values_.find(std::string(kOfListener) + ToLower(listener) +
                                "." + std::string(name));
  return own != values_.end() ? own->second : GetString(name);
}

std::vector<std::string> Config::GetListOfListener(
    std::string_view listener, std::string_view name) const {
  return Split(GetOfListener(listener, name), ',');
}

std::set<std::string> Config::ListenersWith(std::string_view beginning) const {
  std::set<std::string> found;
  for (auto it = values_.lower_bound(kOfListener);
       it != values_.end() && it->first.starts_with(kOfListener); ++it) {
    const std::string rest = it->first.substr(kOfListener.size());
    const size_t dot = rest.find('.');
    if (rest.substr(dot + 1).starts_with(beginning)) {
      found.insert(rest.substr(0, dot));
    }
  }
  return found;
}

}  // namespace tidemark
