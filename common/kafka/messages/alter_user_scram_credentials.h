#pragma once

#include "common/kafka/message.h"

// Gives users credentials and takes them (KIP-554).
namespace tidemark::kafka {

struct AlterUserScramCredentialsRequest {
  static constexpr ApiKey kKey = ApiKey::kAlterUserScramCredentials;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct ScramCredentialDeletion {
    std::string name;
    int8_t mechanism = 0;

    bool operator==(const ScramCredentialDeletion&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("mechanism", self.mechanism);
    }
  };

  struct ScramCredentialUpsertion {
    std::string name;
    int8_t mechanism = 0;
    int32_t iterations = 0;
    SharedBytes salt;
    SharedBytes salted_password;

    bool operator==(const ScramCredentialUpsertion&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
      visit("mechanism", self.mechanism);
      visit("iterations", self.iterations);
      visit("salt", self.salt);
      visit("salted_password", self.salted_password);
    }
  };

  std::vector<ScramCredentialDeletion> deletions;
  std::vector<ScramCredentialUpsertion> upsertions;

  bool operator==(const AlterUserScramCredentialsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("deletions", self.deletions);
    visit("upsertions", self.upsertions);
  }
};

struct AlterUserScramCredentialsResponse {
  static constexpr ApiKey kKey = ApiKey::kAlterUserScramCredentials;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct AlterUserScramCredentialsResult {
    std::string user;
    int16_t error_code = 0;
    std::optional<std::string> error_message;

    bool operator==(const AlterUserScramCredentialsResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("user", self.user);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
    }
  };

  int32_t throttle_time_ms = 0;
  std::vector<AlterUserScramCredentialsResult> results;

  bool operator==(const AlterUserScramCredentialsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("results", self.results);
  }
};

}  // namespace tidemark::kafka
