#pragma once

#include <random>
#include <string>
#include <type_traits>

#include "common/kafka/message.h"

namespace tidemark::kafka {

// Fills the fields that a version has with random values, by the message's
// own list of fields.
class RandomMessage {
 public:
  RandomMessage(std::mt19937_64& random, int16_t version)
      : random_(random), version_(version) {}

  template <class T>
  T Make() {
    T message;
    T::VisitFields(message, *this);
    return message;
  }

  template <class T>
  void operator()(const char*, T& value, FieldSpec spec = {}) {
    if (spec.Has(version_)) Fill(value, spec.IsNullable(version_));
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }

  std::string Text(size_t bound) {
    std::string text(Below(bound), '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }

  template <class T>
  void Fill(T& value, bool nullable) {
    if constexpr (std::is_same_v<T, bool>) {
      value = Below(2) == 1;
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(random_());
    } else if constexpr (std::is_same_v<T, double>) {
      value = static_cast<double>(random_()) / 3;  // a number, equal to itself
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = Text(Below(8) == 0 ? 300 : 12);
    } else if constexpr (std::is_same_v<T, SharedBytes> ||
                         std::is_same_v<T, Payload>) {
      value = SharedBytes(Text(Below(8) == 0 ? 20000 : 40));
    } else if constexpr (std::is_same_v<T, Uuid>) {
      for (uint8_t& byte : value.bytes) byte = static_cast<uint8_t>(random_());
    } else if constexpr (requires { value.has_value(); }) {
      value.reset();
      if (!nullable || Below(3) != 0) Fill(value.emplace(), false);
    } else if constexpr (requires { value.emplace_back(); }) {
      value.resize(Below(4));
      for (auto& element : value) Fill(element, false);
    } else {
      T::VisitFields(value, *this);
    }
  }

  std::mt19937_64& random_;
  int16_t version_;
};

}  // namespace tidemark::kafka
