#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/tls/openssl.h"

namespace tidemark::tls {

enum class Role : uint8_t { kController = 1, kBroker = 2, kAdmin = 4 };

// "controller", "broker", "admin".
std::string_view ToString(Role role);

// Who somebody is to the nodes of a cluster, by certificate.
struct Holder {
  struct Place {
    Role role = Role::kAdmin;
    NodeId id = kNoNode;  // of a node
  };
  std::vector<Place> places;  // none: a stranger; several: of one machine
  std::string subject;        // as RFC 2253 writes it, for messages

  // kNoNode: whatever its id is.
  bool Is(Role role, NodeId id = kNoNode) const;
  // "broker 1", "nobody of the cluster (CN=a)".
  std::string Describe() const;
};

// Says so of certificates: one has it in a subject alternative name, as URI:
// tidemark:controller/101, tidemark:broker/1, tidemark:admin/NAME, or the
// setting tidemark.certificate.roles has it for its subject. What a
// certificate says itself is all that counts of it; a URI of tidemark: that is
// none of these makes it a stranger's. Immutable; any thread.
class CertificateRoles {
 public:
  CertificateRoles() = default;
  // "broker/1:CN=b1,O=x;admin:CN=ops,O=x". Error kInvalidConfig.
  static Result<CertificateRoles> Parse(std::string_view setting);

  Holder HolderOf(X509* certificate) const;
  // Of the first certificate in it; a stranger where there is none.
  Holder HolderOf(std::string_view pem) const;

 private:
  std::map<std::string, std::vector<Holder::Place>, std::less<>> by_subject_;
};

// Whether the certificate names this host: a DNS name, or an address as text.
bool NamesHost(X509* certificate, const std::string& host);
// nullptr: there is none.
CertificatePtr FirstCertificate(std::string_view pem);

}  // namespace tidemark::tls
