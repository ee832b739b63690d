#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "common/base/config.h"
#include "common/base/result.h"
#include "common/tls/context.h"

namespace tidemark::rpc {

// Where a process has its HTTP port, and who may ask there.
struct HttpSettings {
  std::string host;
  uint16_t port = 0;                 // 0: any free one
  std::optional<tls::Settings> tls;  // none: plain
  std::string credentials;  // "USER:PASSWORD"; "": nobody is asked for any
};

// http.security.protocol and http.basic.auth.
std::span<const ConfigKey> HttpKeys();
// By these, http.host and `port`; TLS by the ssl.* settings, those under
// listener.name.http. before the others. Error kInvalidConfig.
Result<HttpSettings> HttpSettingsOf(const Config& config, uint16_t port);
// In lower case, as tls::CheckIsSpoken wants it: "http" where TLS is spoken.
std::set<std::string> ListenersOfHttp(const Config& config);

}  // namespace tidemark::rpc
