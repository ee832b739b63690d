#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/metadata/image_holder.h"
#include "common/base/clock.h"
#include "common/sasl/mechanism.h"
#include "common/sasl/plain.h"

namespace tidemark::server {

// Who may come through a listener, and how it is found out. Immutable; any
// thread.
class SaslServer {
 public:
  struct Mechanism {
    std::string name;  // "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"
    // How long an authentication holds (connections.max.reauth.ms); 0: as long
    // as the connection.
    Duration max_session{0};
  };
  struct Options {
    std::vector<Mechanism> mechanisms;
    sasl::PlainUsers plain_users;
    // Longest frame before somebody has said who it is.
    size_t max_receive_bytes = 512 << 10;
    // How long who was refused waits for the answer.
    Duration failure_delay = std::chrono::milliseconds(100);
  };

  // `metadata`, which has the credentials of SCRAM, outlives it.
  SaslServer(Options options, const ImageHolder& metadata);

  const Options& options() const { return options_; }
  // nullptr: not one of them.
  const Mechanism* Find(std::string_view name) const;
  // REQUIRES: one of them. This outlives the exchange.
  // Whether its users are known: those in the metadata are not before the first
  // image.
  bool KnowsUsers(const Mechanism& mechanism) const;
  std::unique_ptr<sasl::Exchange> Begin(const Mechanism& mechanism) const;

 private:
  const Options options_;
  const ImageHolder& metadata_;
  const std::string secret_;
};

}  // namespace tidemark::server
