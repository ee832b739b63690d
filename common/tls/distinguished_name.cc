#include "common/tls/distinguished_name.h"

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/objects.h>

#include <algorithm>
#include <memory>

#include "common/tls/openssl.h"

namespace tidemark::tls {
namespace {

// The names of RFC 2253, section 2.3; nullptr: it has none.
const char* NameOf(int nid) {
  switch (nid) {
    case NID_commonName:
      return "CN";
    case NID_countryName:
      return "C";
    case NID_localityName:
      return "L";
    case NID_stateOrProvinceName:
      return "ST";
    case NID_organizationName:
      return "O";
    case NID_organizationalUnitName:
      return "OU";
    case NID_streetAddress:
      return "STREET";
    case NID_domainComponent:
      return "DC";
    case NID_userId:
      return "UID";
    default:
      return nullptr;
  }
}

std::string DottedOf(const ASN1_OBJECT* object) {
  char text[256];
  const int size = OBJ_obj2txt(text, sizeof text, object, 1);
  if (size <= 0) return {};
  return std::string(
      text, std::min<size_t>(static_cast<size_t>(size), sizeof text - 1));
}

std::string HexOf(const ASN1_STRING* value) {
  const std::unique_ptr<ASN1_TYPE, Free<ASN1_TYPE_free>> type(ASN1_TYPE_new());
  if (type == nullptr ||
      ASN1_TYPE_set1(type.get(), ASN1_STRING_type(value), value) != 1) {
    return {};
  }
  unsigned char* der = nullptr;
  const int size = i2d_ASN1_TYPE(type.get(), &der);
  std::string out = "#";
  for (int i = 0; i < size; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[der[i] >> 4];
    out += kDigits[der[i] & 15];
  }
  OPENSSL_free(der);
  return out;
}

// As Java escapes: special characters, and blanks at both ends.
std::string Escaped(const std::string& text) {
  constexpr std::string_view kSpecial = ",=+<>#;\"\\";
  const size_t first = text.find_first_not_of(' ');
  const size_t last = text.find_last_not_of(' ');
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool at_an_end = first == text.npos || i < first || i > last;
    if (text[i] == '\0') {
      out += "\\00";
      continue;
    }
    if (at_an_end || kSpecial.find(text[i]) != kSpecial.npos) out += '\\';
    out += text[i];
  }
  return out;
}

std::string TextOf(const X509_NAME_ENTRY* entry) {
  const ASN1_OBJECT* object = X509_NAME_ENTRY_get_object(entry);
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(entry);
  const char* name = NameOf(OBJ_obj2nid(object));
  if (name == nullptr) return DottedOf(object) + "=" + HexOf(value);
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, value);
  if (size < 0) return std::string(name) + "=" + HexOf(value);
  const std::string text(reinterpret_cast<char*>(utf8),
                         static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return std::string(name) + "=" + Escaped(text);
}

}  // namespace

// Back to front, but for what is of one set.
std::string SubjectOf(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  std::string out, group;
  int previous = -1;
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
    const int set = X509_NAME_ENTRY_set(entry);
    if (set != previous) {
      if (i > 0) out = group + (out.empty() ? "" : ",") + out;
      group = TextOf(entry);
    } else {
      group += "+" + TextOf(entry);
    }
    previous = set;
  }
  return group + (out.empty() ? "" : ",") + out;
}

}  // namespace tidemark::tls
