#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/config.h"
#include "common/rpc/http_settings.h"
#include "common/tls/certificate_roles.h"
#include "common/tls/context.h"
#include "controller/quorum/quorum.h"
#include "controller/service/controller.h"

namespace tidemark::controller {

// Every key a controller's server.properties may have.
std::span<const ConfigKey> ControllerConfigKeys();

// The settings of a controller process, checked.
struct ControllerConfig {
  NodeId node_id = kNoNode;
  std::string data_directory;
  std::string listen_host;
  uint16_t listen_port = 0;
  std::optional<rpc::HttpSettings> http;
  std::string advertised_host;  // where the other controllers reach it
  uint16_t advertised_port = 0;
  std::vector<quorum::Voter> voters;  // empty: the log says who votes
  // Whom a controller of no quorum yet asks to be let in; ids not set.
  std::vector<quorum::Voter> bootstrap_servers;
  bool auto_join = false;
  int64_t tick_ms = 50;
  uint32_t election_ticks_min = 6, election_ticks_max = 12;
  int64_t disk_timeout_ms = 30'000;
  // How gRPC is spoken, by TLS; none: in plaintext.
  std::optional<tls::Settings> tls;
  tls::CertificateRoles certificate_roles;
  ControllerOptions options;  // cluster id not set
};

// Error kInvalidConfig: the key, its value, and what it should be.
Result<ControllerConfig> MakeControllerConfig(const Config& config);

// "1@host:port,2@host:port"; ids and addresses differ.
Result<std::vector<quorum::Voter>> ParseVoters(const std::string& text);

}  // namespace tidemark::controller
