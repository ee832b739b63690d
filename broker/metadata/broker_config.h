#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/authorization/authorizer.h"
#include "common/base/config.h"
#include "common/base/ids.h"
#include "common/base/plaintext.h"

namespace tidemark {

struct Listener {
  std::string name = "PLAINTEXT";
  std::string host;
  uint16_t port = 9092;
  // Or SSL, SASL_PLAINTEXT, SASL_SSL.
  std::string protocol = "PLAINTEXT";
};

inline bool SpeaksTls(const Listener& listener) {
  return listener.protocol == "SSL" || listener.protocol == "SASL_SSL";
}
inline bool SpeaksSasl(const Listener& listener) {
  return listener.protocol.starts_with("SASL_");
}

// Every key tidemark-broker understands: Kafka's names and defaults, except
// where ARCHITECTURE.md says why not.
std::span<const ConfigKey> BrokerConfigKeys();

// Keys whose default alone is accepted, because no code reads them yet. Parse
// refuses other values of these, and of the keys behind topic settings without
// effect (common/metadata/configs.h).
std::vector<std::string_view> BrokerKeysWithoutEffect();
// Keys that only controllers act on; here for files that both share.
std::vector<std::string_view> BrokerKeysOfControllers();

// The broker's static settings, typed. Immutable after Parse; any thread.
class BrokerConfig {
 public:
  static Result<BrokerConfig> Parse(Config config);

  const Config& raw() const { return config_; }
  // Keys set by file, environment or override, for DescribeConfigs and
  // metadata::ResolveTopicConfig.
  const std::map<std::string, std::string>& static_values() const {
    return static_values_;
  }

  NodeId node_id = kNoNode;
  std::string rack;
  std::vector<Listener> listeners;
  std::vector<Listener> advertised_listeners;
  std::string inter_broker_listener = "PLAINTEXT";
  std::vector<std::string> log_dirs;
  std::vector<std::string> controllers;  // host:port of every controller
  ControllerProtocol controllers_by;     // how they are spoken to
  int shards = 0;
  std::optional<authorization::Authorizer::Options> authorizer;

 private:
  Config config_;
  std::map<std::string, std::string> static_values_;
};

}  // namespace tidemark
