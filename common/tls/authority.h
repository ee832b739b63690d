#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/tls/openssl.h"

namespace tidemark::tls {

// A private key and its certificate, as PEM.
struct Issued {
  std::string key;
  std::string certificate;
};

// Whom a certificate is for.
struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> uris;
  std::vector<std::string> hosts;  // names and addresses
  int days = 365;
};

// A new authority: P-256, signs nodes' certificates, and no authorities.
Result<Issued> MakeAuthority(const std::string& common_name, int days);
// A new key, and a certificate of `authority` for it, for both ends of
// connections; valid from an hour ago, as clocks differ. Error kInvalidConfig:
// the authority is none; kInvalidRequest: a host is none.
Result<Issued> IssueCertificate(const Issued& authority,
                                const CertificateRequest& request);

// The request that a certificate fulfils, `days` apart. Error kInvalidConfig.
Result<CertificateRequest> RequestOf(std::string_view pem);
// Whether the authority's key has signed it.
bool IsIssuedBy(std::string_view pem, std::string_view authority_pem);

}  // namespace tidemark::tls
