#pragma once

#include "broker/metadata/broker_config.h"
#include "common/tls/context.h"

namespace tidemark::server {

// What the ssl.* settings say of this listener, those under listener.name.NAME.
// before the others.
tls::ServerSettings TlsOf(const Listener& listener, const Config& config);

}  // namespace tidemark::server
