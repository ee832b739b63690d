#pragma once

#include "common/kafka/message.h"

// Who has which credentials (KIP-554); null and empty ask for all.
namespace tidemark::kafka {

struct DescribeUserScramCredentialsRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeUserScramCredentials;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct UserName {
    std::string name;

    bool operator==(const UserName&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("name", self.name);
    }
  };

  std::optional<std::vector<UserName>> users;

  bool operator==(const DescribeUserScramCredentialsRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("users", self.users);
  }
};

struct DescribeUserScramCredentialsResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeUserScramCredentials;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 0;
  static constexpr int16_t kFirstFlexible = 0;

  struct CredentialInfo {
    int8_t mechanism = 0;
    int32_t iterations = 0;

    bool operator==(const CredentialInfo&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("mechanism", self.mechanism);
      visit("iterations", self.iterations);
    }
  };

  struct DescribeUserScramCredentialsResult {
    std::string user;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::vector<CredentialInfo> credential_infos;

    bool operator==(const DescribeUserScramCredentialsResult&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("user", self.user);
      visit("error_code", self.error_code);
      visit("error_message", self.error_message);
      visit("credential_infos", self.credential_infos);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<DescribeUserScramCredentialsResult> results;

  bool operator==(const DescribeUserScramCredentialsResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
    visit("results", self.results);
  }
};

}  // namespace tidemark::kafka
