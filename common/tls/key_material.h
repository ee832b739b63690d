#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/tls/openssl.h"

namespace tidemark::tls {

// What a keystore or a truststore holds: Kafka's settings say where it is.
struct StoreSettings {
  // PEM, PKCS12 or JKS. What keytool writes today under the name of JKS is
  // PKCS12 and is read; the old format and old ciphers are refused, with the
  // command that converts them.
  std::string type = "JKS";
  std::string location;
  std::string password;
  // PEM in the setting itself, instead of a file.
  std::string key;           // of a keystore
  std::string certificates;  // its chain; or what a truststore trusts
  std::string key_password;  // of the private key; "": `password`

  bool empty() const {
    return location.empty() && key.empty() && certificates.empty();
  }
};

struct KeyMaterial {
  KeyPtr key;  // none in a truststore
  std::vector<CertificatePtr>
      certificates;  // of a key: its own, then its chain
};

// Error kInvalidConfig: which setting or file, and what is wrong with it.
Result<KeyMaterial> ReadKeystore(const StoreSettings& settings);
Result<KeyMaterial> ReadTruststore(const StoreSettings& settings);

}  // namespace tidemark::tls
