#include "broker/kafka/sasl_server.h"

#include <glog/logging.h>
#include <openssl/rand.h>

#include "common/sasl/scram.h"

namespace tidemark::server {
namespace {

using metadata::ScramImage;
using metadata::ScramMechanism;

std::string RandomBytes(size_t count) {
  std::string out(count, '\0');
  CHECK_EQ(RAND_bytes(reinterpret_cast<unsigned char*>(out.data()),
                      static_cast<int>(count)),
           1);
  return out;
}

}  // namespace

SaslServer::SaslServer(Options options, const ImageHolder& metadata)
    : options_(std::move(options)),
      metadata_(metadata),
      secret_(RandomBytes(32)) {}

const SaslServer::Mechanism* SaslServer::Find(std::string_view name) const {
  for (const Mechanism& mechanism : options_.mechanisms) {
    if (mechanism.name == name) return &mechanism;
  }
  return nullptr;
}

bool SaslServer::KnowsUsers(const Mechanism& mechanism) const {
  return mechanism.name == "PLAIN" || metadata_.Get()->offset() > 0;
}

std::unique_ptr<sasl::Exchange> SaslServer::Begin(
    const Mechanism& mechanism) const {
  if (mechanism.name == "PLAIN") {
    return std::make_unique<sasl::Plain>(options_.plain_users);
  }
  const auto kind = mechanism.name == NameOf(ScramMechanism::kSha256)
                        ? ScramMechanism::kSha256
                        : ScramMechanism::kSha512;
  sasl::Scram::Options scram;
  scram.hash = kind == ScramMechanism::kSha256 ? sasl::Hash::kSha256
                                               : sasl::Hash::kSha512;
  scram.nonce = sasl::TextOf(RandomBytes(sasl::kTextBytes));
  const metadata::ImagePtr image = metadata_.Get();
  const auto* nobody = image->scram().Find(ScramImage::kNobody, kind);
  scram.secret = nobody == nullptr ? secret_ : nobody->stored_key;
  if (nobody != nullptr) scram.made_up_iterations = nobody->iterations;
  // Of the users there are when it is asked, and asked again.
  scram.find =
      [this, kind](const std::string& user) -> std::optional<sasl::ScramKeys> {
    if (user == ScramImage::kNobody) return std::nullopt;
    const metadata::ImagePtr image = metadata_.Get();
    const auto* found = image->scram().Find(user, kind);
    if (found == nullptr) return std::nullopt;
    return sasl::ScramKeys{found->salt, found->stored_key, found->server_key,
                           found->iterations};
  };
  return std::make_unique<sasl::Scram>(std::move(scram));
}

}  // namespace tidemark::server
