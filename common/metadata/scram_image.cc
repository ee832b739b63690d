#include "common/metadata/scram_image.h"

namespace tidemark::metadata {
namespace {

size_t KeyBytes(ScramMechanism mechanism) {
  return mechanism == ScramMechanism::kSha256 ? 32 : 64;
}

Result<ScramMechanism> MechanismOf(v1::ScramMechanism mechanism) {
  if (mechanism == v1::SCRAM_SHA_256) return ScramMechanism::kSha256;
  if (mechanism == v1::SCRAM_SHA_512) return ScramMechanism::kSha512;
  return Bad("unknown SCRAM mechanism");
}

}  // namespace

std::string_view NameOf(ScramMechanism mechanism) {
  return mechanism == ScramMechanism::kSha256 ? "SCRAM-SHA-256"
                                              : "SCRAM-SHA-512";
}

const ScramCredential* ScramImage::Find(const std::string& user,
                                        ScramMechanism mechanism) const {
  return credentials_.Find(std::pair(user, mechanism));
}

void ScramImage::Each(
    const std::function<void(const std::string&, ScramMechanism,
                             const ScramCredential&)>& see) const {
  for (const auto& [key, credential] : credentials_) {
    if (key.first != kNobody) see(key.first, key.second, credential);
  }
}

Status ScramImage::Apply(const v1::SetScramCredential& record) {
  TM_ASSIGN_OR_RETURN(const auto mechanism, MechanismOf(record.mechanism()));
  if (record.salt().empty() || record.iterations() <= 0 ||
      record.stored_key().size() != KeyBytes(mechanism) ||
      record.server_key().size() != KeyBytes(mechanism)) {
    return Bad("bad SCRAM credential");
  }
  credentials_.Set({record.user(), mechanism},
                   {record.salt(), record.stored_key(), record.server_key(),
                    record.iterations()});
  return {};
}

Status ScramImage::Apply(const v1::RemoveScramCredential& record) {
  TM_ASSIGN_OR_RETURN(const auto mechanism, MechanismOf(record.mechanism()));
  if (credentials_.Erase(std::pair(record.user(), mechanism))) return {};
  return Bad("removal of a SCRAM credential that is not there");
}

void ScramImage::ToRecords(const RecordSink& sink) const {
  for (const auto& [key, credential] : credentials_) {
    v1::Record record;
    v1::SetScramCredential* set = record.mutable_set_scram_credential();
    set->set_user(key.first);
    set->set_mechanism(static_cast<v1::ScramMechanism>(key.second));
    set->set_salt(credential.salt);
    set->set_stored_key(credential.stored_key);
    set->set_server_key(credential.server_key);
    set->set_iterations(credential.iterations);
    sink(std::move(record));
  }
}

}  // namespace tidemark::metadata
