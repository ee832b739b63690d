#pragma once

#include <cstdint>

namespace tidemark::kafka {

// In which versions of a message a field exists and how. A message names each
// field once:
//
//   template <class Self, class Visitor>
//   static void VisitFields(Self& self, Visitor& visit) {
//     visit("session_id", self.session_id, Since(7));
//   }
//
// and decoding, encoding and printing are visitors of that list. A field that
// the version at hand does not have keeps its default when decoding and is
// left out when encoding, whatever its value. A std::optional field may be
// null; where nullable_since forbids that, null is refused when decoding and
// written as the empty value when encoding.
struct FieldSpec {
  int16_t since = 0;
  int16_t until = INT16_MAX;
  int16_t nullable_since = 0;  // only for std::optional fields
  int32_t tag = -1;            // >= 0: a tagged field (KIP-482)
  int64_t default_number = 0;  // of a tagged number: not sent when equal

  constexpr bool Has(int16_t version) const {
    return version >= since && version <= until;
  }
  constexpr bool IsNullable(int16_t version) const {
    return version >= nullable_since;
  }
  constexpr FieldSpec Until(int16_t version) const {
    FieldSpec spec = *this;
    spec.until = version;
    return spec;
  }
  constexpr FieldSpec NullableSince(int16_t version) const {
    FieldSpec spec = *this;
    spec.nullable_since = version;
    return spec;
  }
  constexpr FieldSpec Default(int64_t number) const {
    FieldSpec spec = *this;
    spec.default_number = number;
    return spec;
  }
};

constexpr FieldSpec Always() { return FieldSpec{}; }
constexpr FieldSpec Since(int16_t version) {
  return FieldSpec{.since = version};
}
constexpr FieldSpec Until(int16_t version) {
  return FieldSpec{.until = version};
}
constexpr FieldSpec Tagged(int32_t tag, int16_t since) {
  return FieldSpec{.since = since, .tag = tag};
}

}  // namespace tidemark::kafka
