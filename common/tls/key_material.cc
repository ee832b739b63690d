#include "common/tls/key_material.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace tidemark::tls {
namespace {

// Far more than any store that is meant.
constexpr size_t kMostBytes = 16 << 20;
constexpr std::string_view kOldJks = "\xfe\xed\xfe\xed";
constexpr std::string_view kPemBegin = "-----BEGIN ";

tl::unexpected<Error> Unusable(const std::string& what,
                               const std::string& why) {
  return Fail(ErrorCode::kInvalidConfig, what + ": " + why);
}

BioPtr Over(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

Status ReadStore(const std::string& path, std::string* bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unusable(path, std::strerror(errno));
  bytes->resize(kMostBytes + 1);
  file.read(bytes->data(), static_cast<std::streamsize>(bytes->size()));
  bytes->resize(static_cast<size_t>(file.gcount()));
  if (bytes->size() > kMostBytes) return Unusable(path, "it is too large");
  if (bytes->empty()) return Unusable(path, "it is empty");
  return {};
}

int GivePassword(char* to, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.size() > static_cast<size_t>(size)) return -1;
  std::copy(text.begin(), text.end(), to);
  return static_cast<int>(text.size());
}

// A setting is one line, in which blanks may stand for the ends of lines.
std::string WithLines(std::string_view setting) {
  constexpr std::string_view kDashes = "-----";
  constexpr size_t kLine = 64;
  std::string pem;
  while (true) {
    const size_t begin = setting.find(kPemBegin);
    if (begin == std::string_view::npos) return pem;
    const size_t body = setting.find(kDashes, begin + kPemBegin.size());
    if (body == std::string_view::npos) return pem;
    const size_t end = setting.find(kDashes, body + kDashes.size());
    if (end == std::string_view::npos) return pem;
    const size_t last =
        setting.find(kDashes, std::min(end + kDashes.size(), setting.size()));
    if (last == std::string_view::npos) return pem;
    pem.append(setting.substr(begin, body + kDashes.size() - begin));
    size_t column = kLine;
    for (const char c :
         setting.substr(body + kDashes.size(), end - body - kDashes.size())) {
      if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
      if (column++ == kLine) {
        pem += '\n';
        column = 1;
      }
      pem += c;
    }
    pem += '\n';
    pem.append(setting.substr(end, last + kDashes.size() - end));
    pem += '\n';
    setting.remove_prefix(last + kDashes.size());
  }
}

Result<KeyPtr> PemKey(const std::string& what, std::string_view pem,
                      std::string password) {
  const BioPtr bio = Over(pem);
  KeyPtr key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassword, &password));
  if (key == nullptr) {
    return Unusable(what, "no private key that can be read: " +
                              TakeReason("there is none") +
                              "; ssl.key.password is that of the key");
  }
  return key;
}

Result<std::vector<CertificatePtr>> PemCertificates(const std::string& what,
                                                    std::string_view pem) {
  const BioPtr bio = Over(pem);
  std::vector<CertificatePtr> all;
  while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    all.emplace_back(one);
  }
  const bool at_end =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = TakeReason("");
  if (!at_end) return Unusable(what, "a certificate in it is bad: " + reason);
  if (all.empty()) return Unusable(what, "there is no certificate in it");
  return all;
}

Result<KeyMaterial> FromPkcs12(const std::string& path, std::string_view bytes,
                               const std::string& password) {
  const BioPtr bio = Over(bytes);
  const Pkcs12Ptr store(d2i_PKCS12_bio(bio.get(), nullptr));
  if (store == nullptr) {
    return Unusable(path, "it is not PKCS12: " + TakeReason("bad format"));
  }
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* others = nullptr;
  if (PKCS12_parse(store.get(), password.c_str(), &key, &certificate,
                   &others) != 1) {
    const std::string reason = TakeReason("bad password");
    return Unusable(
        path,
        "it cannot be opened: " + reason +
            (reason == "unsupported"
                 ? "; it is encrypted with an old cipher, convert it: openssl "
                   "pkcs12 -legacy -in " +
                       path + " -nodes | openssl pkcs12 -export -out " + path +
                       ".new"
                 : "; is its password right?"));
  }
  KeyMaterial found;
  found.key.reset(key);
  if (certificate != nullptr) found.certificates.emplace_back(certificate);
  while (others != nullptr && sk_X509_num(others) > 0) {
    found.certificates.emplace_back(sk_X509_shift(others));
  }
  sk_X509_free(others);
  ERR_clear_error();
  return found;
}

// As the setting may be, by what is there: Java looks into the file as well.
Result<KeyMaterial> FromFile(const StoreSettings& settings, bool wants_key) {
  const std::string& path = settings.location;
  std::string bytes;
  TM_RETURN_IF_ERROR(ReadStore(path, &bytes));
  if (bytes.starts_with(kOldJks)) {
    return Unusable(
        path,
        "it is in the old format of Java, which is not read; convert it: "
        "keytool -importkeystore -srckeystore " +
            path + " -destkeystore " + path + ".p12 -deststoretype PKCS12");
  }
  const bool pem = bytes.find(kPemBegin) != std::string::npos;
  if (pem != (settings.type == "PEM")) {
    return Unusable(path, std::string("it is ") + (pem ? "" : "not ") +
                              "PEM; set its type (ssl.keystore.type, "
                              "ssl.truststore.type) to what it is");
  }
  if (!pem) return FromPkcs12(path, bytes, settings.password);
  KeyMaterial found;
  if (wants_key) {
    TM_ASSIGN_OR_RETURN(found.key, PemKey(path, bytes, settings.key_password));
  }
  TM_ASSIGN_OR_RETURN(found.certificates, PemCertificates(path, bytes));
  return found;
}

}  // namespace

std::string TakeReason(std::string_view otherwise) {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return std::string(reason == nullptr ? otherwise : reason);
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

Result<KeyMaterial> ReadKeystore(const StoreSettings& settings) {
  ERR_clear_error();
  KeyMaterial found;
  if (!settings.location.empty()) {
    TM_ASSIGN_OR_RETURN(found, FromFile(settings, true));
  } else {
    TM_ASSIGN_OR_RETURN(found.key,
                        PemKey("ssl.keystore.key", WithLines(settings.key),
                               settings.key_password));
    TM_ASSIGN_OR_RETURN(found.certificates,
                        PemCertificates("ssl.keystore.certificate.chain",
                                        WithLines(settings.certificates)));
  }
  const std::string what =
      settings.location.empty() ? "ssl.keystore.key" : settings.location;
  if (found.key == nullptr || found.certificates.empty()) {
    return Unusable(what, "a private key and its certificate must be in it");
  }
  if (X509_check_private_key(found.certificates.front().get(),
                             found.key.get()) != 1) {
    ERR_clear_error();
    return Unusable(what, "the first certificate is not that of the key");
  }
  return found;
}

Result<KeyMaterial> ReadTruststore(const StoreSettings& settings) {
  ERR_clear_error();
  KeyMaterial found;
  if (!settings.location.empty()) {
    TM_ASSIGN_OR_RETURN(found, FromFile(settings, false));
  } else {
    TM_ASSIGN_OR_RETURN(found.certificates,
                        PemCertificates("ssl.truststore.certificates",
                                        WithLines(settings.certificates)));
  }
  if (found.certificates.empty()) {
    return Unusable(settings.location, "there is no certificate in it");
  }
  return found;
}

}  // namespace tidemark::tls
