#include <gtest/gtest.h>

#include "tests/unit/common/kafka/all_messages.h"
#include "tests/unit/common/kafka/random_message.h"

namespace tidemark::kafka {
namespace {

constexpr int kRounds = 30;

TEST(RoundTrip, EveryMessageAtEveryVersionWithRandomContents) {
  std::mt19937_64 random(1);
  ForEachMessage([&]<class T>(const std::string& name) {
    for (int16_t v = T::kMinVersion; v <= T::kMaxVersion; ++v) {
      for (int round = 0; round < kRounds; ++round) {
        const T message = RandomMessage(random, v).Make<T>();
        const std::string bytes = EncodeBody(message, v);
        const auto decoded = DecodeRequest<T>(SharedBytes(bytes), v);
        ASSERT_TRUE(decoded)
            << name << " v" << v << ": " << ToString(decoded.error());
        ASSERT_EQ(*decoded, message) << name << " v" << v << "\n"
                                     << PrintMessage(*decoded, v) << "\n"
                                     << PrintMessage(message, v);
        ASSERT_EQ(EncodeBody(*decoded, v), bytes) << name << " v" << v;
      }
    }
  });
}

// What a version does not have keeps its default, whatever was put in.
TEST(RoundTrip, FieldsOfOtherVersionsAreLeftOut) {
  std::mt19937_64 random(2);
  ForEachMessage([&]<class T>(const std::string& name) {
    const T newest = RandomMessage(random, T::kMaxVersion).Make<T>();
    for (int16_t v = T::kMinVersion; v <= T::kMaxVersion; ++v) {
      const std::string bytes = EncodeBody(newest, v);
      const auto decoded = DecodeRequest<T>(SharedBytes(bytes), v);
      ASSERT_TRUE(decoded) << name << " v" << v << ": "
                           << ToString(decoded.error());
      ASSERT_EQ(EncodeBody(*decoded, v), bytes) << name << " v" << v;
    }
  });
}

struct TaggedDefaults {
  int checked = 0;

  template <class T>
  void operator()(const char* name, const T& value, FieldSpec spec = {}) {
    if constexpr (std::is_integral_v<T>) {
      if (spec.tag < 0) return;
      ++checked;
      EXPECT_EQ(value, spec.default_number) << name;
    } else if constexpr (requires(T array) { array.emplace_back(); }) {
      Descend<typename T::value_type>();
    }
  }

  template <class T>
  void Descend() {
    if constexpr (requires(T t) { T::VisitFields(t, *this); }) {
      const T element;
      T::VisitFields(element, *this);
    }
  }
};

// A tagged number's default stands in two places: at the member, and in the
// list of fields, which decides what is not sent.
TEST(RoundTrip, TaggedDefaultsAgree) {
  TaggedDefaults check;
  ForEachMessage([&]<class T>(const std::string&) { check.Descend<T>(); });
  EXPECT_EQ(check.checked, 11);
}

TEST(RoundTrip, CodecVersionsAreThoseOfTheMessages) {
  ForEachApi([]<class Request, class Response>(const std::string& name) {
    const ApiVersionRange range = CodecVersions(Request::kKey);
    EXPECT_EQ(Request::kKey, Response::kKey) << name;
    EXPECT_EQ(range.min, Request::kMinVersion) << name;
    EXPECT_EQ(range.max, Request::kMaxVersion) << name;
    EXPECT_EQ(range.first_flexible, Request::kFirstFlexible) << name;
    EXPECT_EQ(range.min, Response::kMinVersion) << name;
    EXPECT_EQ(range.max, Response::kMaxVersion) << name;
    EXPECT_EQ(range.first_flexible, Response::kFirstFlexible) << name;
    EXPECT_NE(ApiName(Request::kKey), "Unknown") << name;
  });
  EXPECT_FALSE(CodecVersions(static_cast<ApiKey>(4)).Contains(0));
}

}  // namespace
}  // namespace tidemark::kafka
