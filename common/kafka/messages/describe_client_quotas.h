#pragma once

#include "common/kafka/message.h"

// Which quotas are set for users and clients (KIP-546).
namespace tidemark::kafka {

struct DescribeClientQuotasRequest {
  static constexpr ApiKey kKey = ApiKey::kDescribeClientQuotas;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = 1;

  struct ComponentData {
    std::string entity_type;
    int8_t match_type = 0;
    std::optional<std::string> match;

    bool operator==(const ComponentData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("entity_type", self.entity_type);
      visit("match_type", self.match_type);
      visit("match", self.match);
    }
  };

  std::vector<ComponentData> components;
  bool strict = false;

  bool operator==(const DescribeClientQuotasRequest&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("components", self.components);
    visit("strict", self.strict);
  }
};

struct DescribeClientQuotasResponse {
  static constexpr ApiKey kKey = ApiKey::kDescribeClientQuotas;
  static constexpr int16_t kMinVersion = 0;
  static constexpr int16_t kMaxVersion = 1;
  static constexpr int16_t kFirstFlexible = 1;

  struct EntityData {
    std::string entity_type;
    std::optional<std::string> entity_name;

    bool operator==(const EntityData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("entity_type", self.entity_type);
      visit("entity_name", self.entity_name);
    }
  };

  struct ValueData {
    std::string key;
    double value = 0;

    bool operator==(const ValueData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("key", self.key);
      visit("value", self.value);
    }
  };

  struct EntryData {
    std::vector<EntityData> entity;
    std::vector<ValueData> values;

    bool operator==(const EntryData&) const = default;
    template <class Self, class Visitor>
    static void VisitFields(Self& self, Visitor& visit) {
      visit("entity", self.entity);
      visit("values", self.values);
    }
  };

  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::optional<std::vector<EntryData>> entries;

  bool operator==(const DescribeClientQuotasResponse&) const = default;
  template <class Self, class Visitor>
  static void VisitFields(Self& self, Visitor& visit) {
    visit("throttle_time_ms", self.throttle_time_ms);
    visit("error_code", self.error_code);
    visit("error_message", self.error_message);
    visit("entries", self.entries);
  }
};

}  // namespace tidemark::kafka
