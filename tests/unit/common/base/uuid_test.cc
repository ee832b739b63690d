#include "common/base/uuid.h"

#include <gtest/gtest.h>

namespace tidemark {
namespace {

TEST(Uuid, TextFormIsKafkasBase64) {
  Uuid id;
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<uint8_t>(i);
  }
  EXPECT_EQ(ToString(id), "AAECAwQFBgcICQoLDA0ODw");
  EXPECT_EQ(Uuid::Parse("AAECAwQFBgcICQoLDA0ODw"), id);
}

TEST(Uuid, RandomIdsRoundTripAndNeverLookLikeAFlag) {
  for (int i = 0; i < 1000; ++i) {
    Uuid id = Uuid::Random();
    std::string text = ToString(id);
    EXPECT_NE(text.front(), '-');
    EXPECT_EQ(Uuid::Parse(text), id);
    EXPECT_EQ(Uuid::FromBytes(id.ToBytes()), id);
  }
}

TEST(Uuid, RefusesWrongLengthAndAlphabet) {
  EXPECT_FALSE(Uuid::Parse(""));
  EXPECT_FALSE(Uuid::Parse("AAECAwQFBgcICQoLDA0OD"));
  EXPECT_FALSE(Uuid::Parse("AAECAwQFBgcICQoLDA0OD+"));
  EXPECT_FALSE(Uuid::FromBytes("short"));
}

}  // namespace
}  // namespace tidemark
