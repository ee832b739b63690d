#pragma once

#include <memory>

#include "broker/kafka/sasl_server.h"
#include "broker/metadata/broker_config.h"
#include "common/tls/principal_rules.h"

namespace tidemark::server {

// What the sasl.* settings say of this listener, those under
// listener.name.NAME. before the others. REQUIRES: it speaks SASL. Error
// kInvalidConfig: which setting, and what is wrong with it.
Result<std::shared_ptr<const SaslServer>> SaslOf(const Listener& listener,
                                                 const Config& config,
                                                 const ImageHolder& metadata);

// ssl.principal.mapping.rules.
Result<std::shared_ptr<const tls::PrincipalRules>> PrincipalsOf(
    const Listener& listener, const Config& config);

}  // namespace tidemark::server
