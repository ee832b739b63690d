#include <gtest/gtest.h>

#include <cstring>

#include "common/metadata/apply.h"
#include "common/metadata/requests_image.h"
#include "common/metadata/snapshot.h"

namespace tidemark::metadata {
namespace {

Uuid RequestId(uint64_t n) {
  std::string bytes(16, 'i');
  std::memcpy(bytes.data(), &n, sizeof n);
  return *Uuid::FromBytes(bytes);
}

v1::AnswerRequest Answer(uint64_t n, int64_t time_ms, size_t bytes = 10) {
  v1::AnswerRequest record;
  record.set_request_id(RequestId(n).ToBytes());
  record.set_call("call");
  record.set_answer(std::string(bytes, 'a'));
  record.set_time_ms(time_ms);
  return record;
}

TEST(Requests, TheNewestByNumberAreKnown) {
  RequestsImage image;
  constexpr uint64_t kMore = RequestsImage::kMaxRequests + 10;
  for (uint64_t n = 1; n <= kMore; ++n)
    ASSERT_TRUE(image.Apply(Answer(n, 1000)));
  EXPECT_EQ(image.size(), RequestsImage::kMaxRequests);
  EXPECT_EQ(image.Find(RequestId(10)), nullptr);
  ASSERT_NE(image.Find(RequestId(11)), nullptr);
  EXPECT_EQ(image.Find(RequestId(11))->call, "call");
}

TEST(Requests, AndByBytesAndAge) {
  RequestsImage image;
  for (uint64_t n = 1; n <= 5; ++n)
    ASSERT_TRUE(image.Apply(Answer(n, 1000, RequestsImage::kMaxBytes / 4)));
  EXPECT_EQ(image.size(), 4u);
  ASSERT_TRUE(image.Apply(Answer(6, 1000 + RequestsImage::kMaxAgeMs)));
  EXPECT_NE(image.Find(RequestId(5)), nullptr);
  ASSERT_TRUE(image.Apply(Answer(7, 1001 + RequestsImage::kMaxAgeMs)));
  EXPECT_EQ(image.Find(RequestId(5)), nullptr);
  EXPECT_NE(image.Find(RequestId(6)), nullptr);
  // A clock that goes back makes nothing older.
  ASSERT_TRUE(image.Apply(Answer(8, 0)));
  EXPECT_EQ(image.size(), 3u);
  // One alone may be larger than all.
  ASSERT_TRUE(image.Apply(Answer(9, 0, 2 * RequestsImage::kMaxBytes)));
  EXPECT_EQ(image.size(), 1u);
}

TEST(Requests, WhatIsNoIdOrIsKnownIsRefused) {
  RequestsImage image;
  ASSERT_TRUE(image.Apply(Answer(1, 0)));
  EXPECT_FALSE(image.Apply(Answer(1, 0)));
  v1::AnswerRequest record = Answer(2, 0);
  record.set_request_id("short");
  EXPECT_FALSE(image.Apply(record));
}

// C-27: who began with a snapshot forgets the same ones.
TEST(Requests, ASnapshotGoesOnAlike) {
  auto add = [](ImagePtr image, uint64_t n) {
    v1::RecordBatch batch;
    *batch.add_records()->mutable_answer_request() =
        Answer(n, static_cast<int64_t>(n), 4000);
    return *ApplyBatch(image, batch, image->offset() + 1, nullptr);
  };
  ImagePtr image = std::make_shared<Image>();
  for (uint64_t n = 1; n <= 1500; ++n) image = add(image, n);
  ImagePtr loaded = *FromRecords(ToRecords(*image), image->offset());
  EXPECT_TRUE(Equal(*image, *loaded));
  for (uint64_t n = 1501; n <= 1600; ++n) {
    image = add(image, n);
    EXPECT_FALSE(Equal(*image, *loaded));
    loaded = add(loaded, n);
  }
  EXPECT_TRUE(Equal(*image, *loaded));
}

}  // namespace
}  // namespace tidemark::metadata
