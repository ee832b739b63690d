#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "common/sasl/mechanism.h"

namespace tidemark::sasl {

// What a client of SCRAM says (RFC 5802, section 7). Views are into what was
// parsed.
struct ClientFirst {
  std::string_view header;  // "n,,"
  std::string_view bare;    // behind it
  std::string authorization;
  std::string user;
  std::string_view nonce;
  bool by_token = false;  // tokenauth=true: of Kafka's delegation tokens
};
tl::expected<ClientFirst, Refusal> ParseClientFirst(std::string_view message);

struct ClientFinal {
  std::string_view without_proof;
  std::string binding;  // decoded
  std::string_view nonce;
  std::string proof;  // decoded
};
tl::expected<ClientFinal, Refusal> ParseClientFinal(std::string_view message);

}  // namespace tidemark::sasl
