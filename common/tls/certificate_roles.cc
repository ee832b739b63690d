#include "common/tls/certificate_roles.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "common/tls/session.h"

namespace tidemark::tls {
namespace {

constexpr std::string_view kScheme = "tidemark:";
// Far more than a machine has roles.
constexpr size_t kMostPlaces = 16;

// "broker/1", "admin/ops", "admin".
std::optional<Holder::Place> ParsePlace(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view role = text.substr(0, slash);
  const std::string_view who =
      slash == std::string_view::npos ? "" : text.substr(slash + 1);
  if (role == "admin") return Holder::Place{Role::kAdmin, kNoNode};
  Holder::Place place;
  if (role == "controller") {
    place.role = Role::kController;
  } else if (role == "broker") {
    place.role = Role::kBroker;
  } else {
    return std::nullopt;
  }
  const char* const end = who.data() + who.size();
  const auto [stop, error] = std::from_chars(who.data(), end, place.id);
  if (error != std::errc() || stop != end || place.id < 0) return std::nullopt;
  return place;
}

std::string SubjectOf(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  // Letters beyond ASCII as they are, as Java writes them.
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0,
                     XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return TextOf(bio.get());
}

std::vector<std::string> UrisOf(X509* certificate) {
  std::vector<std::string> uris;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* const uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      static_cast<size_t>(ASN1_STRING_length(uri)));
  }
  GENERAL_NAMES_free(names);
  return uris;
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view ToString(Role role) {
  switch (role) {
    case Role::kController:
      return "controller";
    case Role::kBroker:
      return "broker";
    case Role::kAdmin:
      return "admin";
  }
  return "";
}

bool Holder::Is(Role role, NodeId id) const {
  return std::any_of(places.begin(), places.end(), [&](const Place& place) {
    return place.role == role && (id == kNoNode || place.id == id);
  });
}

std::string Holder::Describe() const {
  if (places.empty()) {
    return "nobody of the cluster (" +
           (subject.empty() ? "no certificate" : subject) + ")";
  }
  std::string text;
  for (const Place& place : places) {
    text += (text.empty() ? "" : " and ") + std::string(ToString(place.role));
    if (place.id != kNoNode) text += ' ' + std::to_string(place.id);
  }
  return text;
}

Result<CertificateRoles> CertificateRoles::Parse(std::string_view setting) {
  CertificateRoles roles;
  while (!setting.empty()) {
    const size_t end = std::min(setting.find(';'), setting.size());
    const std::string_view entry = Trimmed(setting.substr(0, end));
    setting.remove_prefix(std::min(end + 1, setting.size()));
    if (entry.empty()) continue;
    const size_t colon = entry.find(':');
    const auto place = ParsePlace(entry.substr(0, colon));
    const std::string_view subject =
        colon == std::string_view::npos ? "" : Trimmed(entry.substr(colon + 1));
    if (!place || subject.empty()) {
      return Fail(ErrorCode::kInvalidConfig,
                  "Invalid value '" + std::string(entry) +
                      "' for configuration tidemark.certificate.roles: must "
                      "be broker/ID:SUBJECT, controller/ID:SUBJECT or "
                      "admin:SUBJECT, with ';' between");
    }
    roles.by_subject_[std::string(subject)].push_back(*place);
  }
  return roles;
}

Holder CertificateRoles::HolderOf(X509* certificate) const {
  Holder holder;
  holder.subject = SubjectOf(certificate);
  bool says_so = false;
  for (const std::string& uri : UrisOf(certificate)) {
    if (!uri.starts_with(kScheme)) continue;
    says_so = true;
    const auto place = ParsePlace(std::string_view(uri).substr(kScheme.size()));
    if (!place || holder.places.size() == kMostPlaces) {
      holder.places.clear();
      break;
    }
    holder.places.push_back(*place);
  }
  if (!says_so) {
    const auto found = by_subject_.find(holder.subject);
    if (found != by_subject_.end()) holder.places = found->second;
  }
  ERR_clear_error();
  return holder;
}

Holder CertificateRoles::HolderOf(std::string_view pem) const {
  const CertificatePtr certificate = FirstCertificate(pem);
  return certificate == nullptr ? Holder() : HolderOf(certificate.get());
}

bool NamesHost(X509* certificate, const std::string& host) {
  const int named =
      IsAddress(host)
          ? X509_check_ip_asc(certificate, host.c_str(), 0)
          : X509_check_host(certificate, host.c_str(), host.size(),
                            X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr);
  ERR_clear_error();
  return named == 1;
}

CertificatePtr FirstCertificate(std::string_view pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CertificatePtr found(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return found;
}

}  // namespace tidemark::tls
