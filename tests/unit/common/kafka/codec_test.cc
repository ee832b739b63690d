#include "common/kafka/codec.h"

#include <gtest/gtest.h>

#include "common/record/big_endian.h"
#include "tests/unit/common/kafka/all_messages.h"

namespace tidemark::kafka {
namespace {

SharedBytes WithoutLength(const EncodedFrame& frame) {
  const std::string all = frame.Flatten();
  EXPECT_EQ(all.size(), frame.size);
  EXPECT_EQ(record::LoadBigEndian<int32_t>(all.data()),
            static_cast<int32_t>(all.size() - 4));
  return SharedBytes(all.substr(4));
}

FetchResponse ResponseWith(SharedBytes records) {
  FetchResponse response;
  auto& partition = response.responses.emplace_back().partitions.emplace_back();
  partition.records = std::move(records);
  return response;
}

TEST(Encode, LargeRecordsAreReferencedNotCopied) {
  const SharedBytes records(std::string(kReferenceFrom, 'r'));
  const EncodedFrame frame = EncodeResponse(ResponseWith(records), 12, 7);
  bool referenced = false;
  for (const SharedBytes& chunk : frame.chunks) {
    referenced |= chunk.data() == records.data();
  }
  EXPECT_TRUE(referenced);
  const auto parts =
      DecodeResponseHeader(WithoutLength(frame), ApiKey::kFetch, 12);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->correlation_id, 7);
  const auto decoded = DecodeResponse<FetchResponse>(parts->body, 12);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->responses[0].partitions[0].records, records);
}

TEST(Encode, SmallRecordsMakeOneChunk) {
  const EncodedFrame frame = EncodeResponse(
      ResponseWith(SharedBytes(std::string(kReferenceFrom - 1, 'r'))), 4, 7);
  EXPECT_EQ(frame.chunks.size(), 1u);
  EXPECT_EQ(WithoutLength(frame).size(), frame.size - 4);
}

TEST(Decode, RecordsAreSlicesOfTheFrame) {
  ProduceRequest request;
  request.topic_data.emplace_back().partition_data.emplace_back().records =
      SharedBytes("some records");
  const SharedBytes frame = WithoutLength(EncodeRequest(request, 9, 1, "me"));
  const auto parts = DecodeRequestHeader(frame);
  ASSERT_TRUE(parts);
  const auto decoded = DecodeRequest<ProduceRequest>(parts->body, 9);
  ASSERT_TRUE(decoded);
  const auto& records = decoded->topic_data[0].partition_data[0].records;
  ASSERT_TRUE(records);
  EXPECT_EQ(records->view(), "some records");
  EXPECT_EQ(records->owner(), frame.owner());
  EXPECT_GE(records->data(), frame.data());
  EXPECT_LT(records->data(), frame.data() + frame.size());
}

// Null records break librdkafka (KAFKA-18646).
TEST(Encode, FetchAnswersWithoutRecordsSendEmptyOnes) {
  FetchResponse response;
  response.responses.emplace_back().partitions.emplace_back().error_code = 1;
  const auto decoded =
      DecodeResponse<FetchResponse>(SharedBytes(EncodeBody(response, 11)), 11);
  ASSERT_TRUE(decoded);
  ASSERT_TRUE(decoded->responses[0].partitions[0].records);
  EXPECT_TRUE(decoded->responses[0].partitions[0].records->empty());
}

TEST(Encode, NullWhereItIsNotAllowedBecomesEmpty) {
  MetadataResponse response;
  response.topics.emplace_back();
  const auto decoded = DecodeResponse<MetadataResponse>(
      SharedBytes(EncodeBody(response, 11)), 11);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->topics[0].name, "");
}

TEST(Encode, FlushedOffsetTravelsAsATag) {
  FetchRequest request;
  auto& partition = request.topics.emplace_back().partitions.emplace_back();
  const size_t without = EncodeBody(request, 16).size();
  partition.flushed_offset = 41;
  const std::string bytes = EncodeBody(request, 16);
  // tag 20001 in three bytes, the size in one, the number in eight
  EXPECT_EQ(bytes.size(), without + 12);
  EXPECT_EQ(DecodeRequest<FetchRequest>(SharedBytes(bytes), 16)
                ->topics[0]
                .partitions[0]
                .flushed_offset,
            41);
}

TEST(Encode, TaggedFieldsGoInAscendingOrder) {
  ApiVersionsResponse response;
  response.zk_migration_ready = true;
  response.finalized_features_epoch = 1;
  EXPECT_EQ(EncodeBody(response, 3), FromHex("0000"
                                             "01"
                                             "00000000"
                                             "02"
                                             "0108"
                                             "0000000000000001"
                                             "030101"));
}

TEST(Header, ApiVersionsAnswersWithoutTagsInTheHeader) {
  const EncodedFrame frame = EncodeResponse(ApiVersionsResponse{}, 3, 9);
  EXPECT_EQ(frame.Flatten(), FromHex("0000000c"
                                     "00000009"
                                     "0000"
                                     "01"
                                     "00000000"
                                     "00"));
}

TEST(Header, OtherFlexibleAnswersHaveTags) {
  const EncodedFrame frame = EncodeResponse(HeartbeatResponse{}, 4, 9);
  EXPECT_EQ(frame.Flatten(), FromHex("0000000c"
                                     "00000009"
                                     "00"
                                     "00000000"
                                     "0000"
                                     "00"));
}

TEST(Header, RequestsKeepTheOldClientId) {
  const EncodedFrame flexible = EncodeRequest(ListGroupsRequest{}, 3, 9, "me");
  EXPECT_EQ(flexible.Flatten(), FromHex("0000000e"
                                        "0010"
                                        "0003"
                                        "00000009"
                                        "00026d65"
                                        "00"
                                        "00"));
  const EncodedFrame old = EncodeRequest(ListGroupsRequest{}, 2, 9);
  EXPECT_EQ(old.Flatten(), FromHex("0000000a"
                                   "0010"
                                   "0002"
                                   "00000009"
                                   "ffff"));
  const auto parts = DecodeRequestHeader(WithoutLength(old));
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->header.client_id, std::nullopt);
  EXPECT_TRUE(parts->body.empty());
}

// Its answer tells the client which versions there are, so that the header at
// least must be readable.
TEST(Header, ApiVersionsOfTheFutureCanBeRead) {
  const auto parts =
      DecodeRequestHeader(SharedBytes(FromHex("0012"
                                              "0063"
                                              "00000005"
                                              "0000"
                                              "00"
                                              "aabb")));
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->header.api_version, 99);
  EXPECT_EQ(parts->header.correlation_id, 5);
  EXPECT_EQ(parts->body.size(), 2u);
}

TEST(Print, FieldsOfTheVersion) {
  MetadataRequest request;
  request.topics.emplace().emplace_back().name = "a\"\n";
  EXPECT_EQ(
      PrintMessage(request, 4),
      R"({topics: [{name: "a\x22\x0a"}], allow_auto_topic_creation: true})");
  EXPECT_EQ(PrintMessage(MetadataRequest{}, 1), "{topics: null}");
  ProduceRequest produce;
  produce.topic_data.emplace_back().partition_data.emplace_back().records =
      SharedBytes("12345");
  EXPECT_EQ(
      PrintMessage(produce, 3),
      "{transactional_id: null, acks: 0, timeout_ms: 0, topic_data: "
      "[{name: \"\", partition_data: [{index: 0, records: <5 bytes>}]}]}");
}

TEST(Versioned, VersionIsInFront) {
  OffsetCommitKey key{.group = "g", .topic = "t", .partition = 3};
  const std::string bytes = EncodeVersioned(key);
  EXPECT_EQ(bytes, FromHex("0001"
                           "000167"
                           "000174"
                           "00000003"));
  EXPECT_EQ(PeekVersion(bytes), 1);
  EXPECT_EQ(DecodeVersioned<OffsetCommitKey>(SharedBytes(bytes)), key);
  EXPECT_FALSE(DecodeVersioned<GroupMetadataKey>(SharedBytes(bytes)));
  EXPECT_FALSE(PeekVersion("x"));
}

// librdkafka 2.0 sends a ListGroups v4 with an array too many; Kafka answers.
TEST(Codec, RequestMayHaveBytesAfterItAnAnswerMayNot) {
  const std::string request("\x01\x00\x01\x00", 4);
  const auto decoded =
      DecodeRequest<ListGroupsRequest>(SharedBytes(request), 4);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->states_filter.empty());
  const std::string answer("\0\0\0\0\0\0\x01\0\0", 9);
  EXPECT_FALSE(DecodeResponse<ListGroupsResponse>(SharedBytes(answer), 4));
}

}  // namespace
}  // namespace tidemark::kafka
