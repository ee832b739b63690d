#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>
#include <utility>

#include "common/tls/openssl.h"

namespace tidemark::test {

// A certificate and its key, made for a test.
struct Identity {
  tls::KeyPtr key;
  tls::CertificatePtr certificate;

  std::string CertificatePem() const {
    const tls::BioPtr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), certificate.get());
    return TextOf(bio.get());
  }
  // password "": not encrypted.
  std::string KeyPem(const std::string& password = "") const {
    const tls::BioPtr bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(
        bio.get(), key.get(), password.empty() ? nullptr : EVP_aes_128_cbc(),
        password.empty() ? nullptr : password.data(),
        static_cast<int>(password.size()), nullptr, nullptr);
    return TextOf(bio.get());
  }
  std::string Pkcs12(const std::string& password,
                     const Identity& issuer) const {
    STACK_OF(X509)* chain = sk_X509_new_null();
    sk_X509_push(chain, issuer.certificate.get());
    const tls::Pkcs12Ptr store(PKCS12_create(password.c_str(), "key", key.get(),
                                             certificate.get(), chain, 0, 0, 0,
                                             0, 0));
    sk_X509_free(chain);
    const tls::BioPtr bio(BIO_new(BIO_s_mem()));
    i2d_PKCS12_bio(bio.get(), store.get());
    return TextOf(bio.get());
  }

 private:
  static std::string TextOf(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<size_t>(size)};
  }
};

// issuer nullptr: its own, an authority. `also`: other names of it, as
// "URI:tidemark:broker/1,IP:127.0.0.1". Valid from `begins_s` from now on.
inline Identity MakeIdentity(const std::string& name, const Identity* issuer,
                             int days = 1, const std::string& also = "",
                             long begins_s = -3600) {
  Identity made;
  made.key.reset(EVP_EC_gen("P-256"));
  made.certificate.reset(X509_new());
  X509* const certificate = made.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), begins_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * days);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* const subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(
      subject, "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate,
                       issuer == nullptr
                           ? subject
                           : X509_get_subject_name(issuer->certificate.get()));
  X509_EXTENSION* const authority =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints,
                          issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  X509_add_ext(certificate, authority, -1);
  X509_EXTENSION_free(authority);
  if (!also.empty()) {
    X509_EXTENSION* const names = X509V3_EXT_conf_nid(
        nullptr, nullptr, NID_subject_alt_name, also.c_str());
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
  }
  X509_sign(certificate, issuer == nullptr ? made.key.get() : issuer->key.get(),
            EVP_sha256());
  return made;
}

}  // namespace tidemark::test
