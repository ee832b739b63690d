#include "common/record/control_record.h"

#include <gtest/gtest.h>

#include "tests/unit/common/record/golden_batches.h"

namespace tidemark::record {
namespace {

TEST(ControlRecord, LayoutIsKafkas) {
  EXPECT_EQ(EncodeControlKey(ControlRecordType::kAbort), FromHex("00000000"));
  EXPECT_EQ(EncodeControlKey(ControlRecordType::kCommit), FromHex("00000001"));
  EXPECT_EQ(EncodeMarkerValue(7), FromHex("000000000007"));
  EXPECT_EQ(
      ParseTransactionMarker(FromHex("00000001"), FromHex("000000000007")),
      (TransactionMarker{ControlRecordType::kCommit, 7}));
}

TEST(ControlRecord, LaterVersionsMayAppend) {
  EXPECT_TRUE(
      ParseTransactionMarker(FromHex("00010000ff"), FromHex("000100000007ff")));
}

TEST(ControlRecord, RefusesWhatIsNoMarker) {
  EXPECT_FALSE(ParseTransactionMarker("", ""));
  EXPECT_FALSE(ParseTransactionMarker(FromHex("000000"), EncodeMarkerValue(1)));
  EXPECT_FALSE(ParseTransactionMarker(FromHex("00000001"), FromHex("0000")));
  EXPECT_FALSE(
      ParseTransactionMarker(FromHex("00000002"), EncodeMarkerValue(1)));
  EXPECT_FALSE(
      ParseTransactionMarker(FromHex("ffff0001"), EncodeMarkerValue(1)));
}

}  // namespace
}  // namespace tidemark::record
