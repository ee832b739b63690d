#include "common/tls/authority.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <utility>

#include "common/tls/certificate_roles.h"
#include "common/tls/session.h"

namespace tidemark::tls {
namespace {

constexpr long kHour = 3600, kDay = 24 * kHour;
constexpr int kSerialBits = 127;  // RFC 5280: at most 20 bytes, positive

using NumberPtr = std::unique_ptr<BIGNUM, Free<BN_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

tl::unexpected<Error> Failed(const std::string& what) {
  return Fail(ErrorCode::kUnknownServerError, what + ": " + TakeReason(what));
}

// What a certificate may have as a host's name: nothing that would mean
// something to whoever reads it.
bool IsHost(const std::string& host) {
  return !host.empty() && host.size() <= 253 &&
         std::all_of(host.begin(), host.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '*' ||
                  c == '_';
         });
}

bool AddExtension(X509* to, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* const made =
      X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  const bool added = made != nullptr && X509_add_ext(to, made, -1) == 1;
  X509_EXTENSION_free(made);
  return added;
}

bool AddName(GENERAL_NAMES* names, int type, const std::string& text) {
  GENERAL_NAME* const name = GENERAL_NAME_new();
  ASN1_STRING* const value =
      type == GEN_IPADD ? a2i_IPADDRESS(text.c_str()) : ASN1_IA5STRING_new();
  if (name == nullptr || value == nullptr) return false;
  if (type != GEN_IPADD) {
    ASN1_STRING_set(value, text.data(), static_cast<int>(text.size()));
  }
  GENERAL_NAME_set0_value(name, type, value);
  return sk_GENERAL_NAME_push(names, name) > 0;
}

bool AddNames(X509* to, const CertificateRequest& request) {
  const NamesPtr names(GENERAL_NAMES_new());
  for (const std::string& uri : request.uris) {
    if (!AddName(names.get(), GEN_URI, uri)) return false;
  }
  for (const std::string& host : request.hosts) {
    if (!AddName(names.get(), IsAddress(host) ? GEN_IPADD : GEN_DNS, host)) {
      return false;
    }
  }
  return sk_GENERAL_NAME_num(names.get()) == 0 ||
         X509_add1_ext_i2d(to, NID_subject_alt_name, names.get(), 0, 0) == 1;
}

// With a new key; not signed.
Result<std::pair<CertificatePtr, KeyPtr>> Blank(const std::string& name,
                                                int days) {
  KeyPtr key(EVP_EC_gen("P-256"));
  CertificatePtr made(X509_new());
  const NumberPtr serial(BN_new());
  if (key == nullptr || made == nullptr ||
      X509_set_version(made.get(), X509_VERSION_3) != 1 ||
      BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) !=
          1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made.get())) ==
          nullptr ||
      X509_gmtime_adj(X509_getm_notBefore(made.get()), -kHour) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(made.get()), kDay * days) == nullptr ||
      X509_set_pubkey(made.get(), key.get()) != 1 ||
      X509_NAME_add_entry_by_txt(
          X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
          reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
          0) != 1) {
    return Failed("no certificate could be made");
  }
  return std::pair(std::move(made), std::move(key));
}

std::string KeyPem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr,
                                nullptr);
  return TextOf(bio.get());
}

std::string CertificatePem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return TextOf(bio.get());
}

}  // namespace

Result<Issued> MakeAuthority(const std::string& common_name, int days) {
  TM_ASSIGN_OR_RETURN(const auto blank, Blank(common_name, days));
  X509* const made = blank.first.get();
  if (X509_set_issuer_name(made, X509_get_subject_name(made)) != 1 ||
      !AddExtension(made, made, NID_basic_constraints,
                    "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(made, made, NID_key_usage,
                    "critical,keyCertSign,cRLSign") ||
      !AddExtension(made, made, NID_subject_key_identifier, "hash") ||
      X509_sign(made, blank.second.get(), EVP_sha256()) == 0) {
    return Failed("no authority could be made");
  }
  return Issued{KeyPem(blank.second.get()), CertificatePem(made)};
}

Result<Issued> IssueCertificate(const Issued& authority,
                                const CertificateRequest& request) {
  for (const std::string& host : request.hosts) {
    if (!IsAddress(host) && !IsHost(host)) {
      return Fail(ErrorCode::kInvalidRequest,
                  "'" + host + "' is neither a host's name nor an address");
    }
  }
  const CertificatePtr issuer = FirstCertificate(authority.certificate);
  const BioPtr key_bio(BIO_new_mem_buf(authority.key.data(),
                                       static_cast<int>(authority.key.size())));
  const KeyPtr issuer_key(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  if (issuer == nullptr || issuer_key == nullptr ||
      X509_check_private_key(issuer.get(), issuer_key.get()) != 1) {
    return Fail(ErrorCode::kInvalidConfig,
                "the authority's certificate and key do not belong together");
  }
  TM_ASSIGN_OR_RETURN(const auto blank,
                      Blank(request.common_name, request.days));
  X509* const made = blank.first.get();
  if (X509_set_issuer_name(made, X509_get_subject_name(issuer.get())) != 1 ||
      !AddExtension(made, issuer.get(), NID_basic_constraints,
                    "critical,CA:FALSE") ||
      !AddExtension(made, issuer.get(), NID_key_usage,
                    "critical,digitalSignature") ||
      !AddExtension(made, issuer.get(), NID_ext_key_usage,
                    "serverAuth,clientAuth") ||
      !AddExtension(made, issuer.get(), NID_subject_key_identifier, "hash") ||
      !AddExtension(made, issuer.get(), NID_authority_key_identifier,
                    "keyid") ||
      !AddNames(made, request) ||
      X509_sign(made, issuer_key.get(), EVP_sha256()) == 0) {
    return Failed("no certificate could be made");
  }
  ERR_clear_error();
  return Issued{KeyPem(blank.second.get()), CertificatePem(made)};
}

Result<CertificateRequest> RequestOf(std::string_view pem) {
  const CertificatePtr certificate = FirstCertificate(pem);
  if (certificate == nullptr) {
    return Fail(ErrorCode::kInvalidConfig, "there is no certificate in it");
  }
  CertificateRequest request;
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()),
                            NID_commonName, name, sizeof name);
  request.common_name = name;
  const NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(
      certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const auto* const value = static_cast<ASN1_STRING*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type));
    if (type != GEN_URI && type != GEN_DNS && type != GEN_IPADD) continue;
    const unsigned char* const data = ASN1_STRING_get0_data(value);
    const auto size = static_cast<size_t>(ASN1_STRING_length(value));
    if (type == GEN_IPADD) {
      if (size != sizeof(in_addr) && size != sizeof(in6_addr)) continue;
      char text[INET6_ADDRSTRLEN] = "";
      inet_ntop(size == sizeof(in_addr) ? AF_INET : AF_INET6, data, text,
                sizeof text);
      request.hosts.emplace_back(text);
    } else {
      auto& to = type == GEN_URI ? request.uris : request.hosts;
      to.emplace_back(reinterpret_cast<const char*>(data), size);
    }
  }
  ERR_clear_error();
  return request;
}

bool IsIssuedBy(std::string_view pem, std::string_view authority_pem) {
  const CertificatePtr certificate = FirstCertificate(pem);
  const CertificatePtr authority = FirstCertificate(authority_pem);
  const bool issued =
      certificate != nullptr && authority != nullptr &&
      X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) == 1;
  ERR_clear_error();
  return issued;
}

}  // namespace tidemark::tls
