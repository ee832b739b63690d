#include "common/kafka/codec.h"

#include <gtest/gtest.h>

#include "common/kafka/printer.h"
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
  const EncodedFrame frame =
      EncodeResponse(ResponseWith(records), 12, 7).value();
  bool referenced = false;
  for (const Payload& chunk : frame.chunks) {
    referenced |= chunk.bytes().data() == records.data();
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
  const EncodedFrame frame =
      EncodeResponse(
          ResponseWith(SharedBytes(std::string(kReferenceFrom - 1, 'r'))), 4, 7)
          .value();
  EXPECT_EQ(frame.chunks.size(), 1u);
  EXPECT_EQ(WithoutLength(frame).size(), frame.size - 4);
}

TEST(Decode, RecordsAreSlicesOfTheFrame) {
  ProduceRequest request;
  request.topic_data.emplace_back().partition_data.emplace_back().records =
      SharedBytes("some records");
  const SharedBytes frame =
      WithoutLength(EncodeRequest(request, 9, 1, "me").value());
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
  const EncodedFrame frame =
      EncodeResponse(ApiVersionsResponse{}, 3, 9).value();
  EXPECT_EQ(frame.Flatten(), FromHex("0000000c"
                                     "00000009"
                                     "0000"
                                     "01"
                                     "00000000"
                                     "00"));
}

TEST(Header, OtherFlexibleAnswersHaveTags) {
  const EncodedFrame frame = EncodeResponse(HeartbeatResponse{}, 4, 9).value();
  EXPECT_EQ(frame.Flatten(), FromHex("0000000c"
                                     "00000009"
                                     "00"
                                     "00000000"
                                     "0000"
                                     "00"));
}

TEST(Header, RequestsKeepTheOldClientId) {
  const EncodedFrame flexible =
      EncodeRequest(ListGroupsRequest{}, 3, 9, "me").value();
  EXPECT_EQ(flexible.Flatten(), FromHex("0000000e"
                                        "0010"
                                        "0003"
                                        "00000009"
                                        "00026d65"
                                        "00"
                                        "00"));
  const EncodedFrame old = EncodeRequest(ListGroupsRequest{}, 2, 9).value();
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

TEST(Print, StrangersStringsMakeOneLineOfALog) {
  EXPECT_EQ(Quoted("a\"\n\xc3"), R"("a\x22\x0a\xc3")");
  EXPECT_EQ(Quoted(std::string(200, 'x')), '"' + std::string(128, 'x') + '"');
}

TEST(Versioned, VersionIsInFront) {
  OffsetCommitKey key{.group = "g", .topic = "t", .partition = 3};
  const std::string bytes = EncodeVersioned(key).value();
  EXPECT_EQ(bytes, FromHex("0001"
                           "000167"
                           "000174"
                           "00000003"));
  EXPECT_EQ(PeekVersion(bytes), 1);
  EXPECT_EQ(DecodeVersioned<OffsetCommitKey>(SharedBytes(bytes)), key);
  EXPECT_FALSE(DecodeVersioned<GroupMetadataKey>(SharedBytes(bytes)));
  EXPECT_FALSE(PeekVersion("x"));
}

template <class T>
T Answered(T message, int16_t version) {
  auto frame = EncodeAnswer(std::move(message), version, 7);
  EXPECT_TRUE(frame);
  if (!frame) return {};
  const auto parts =
      DecodeResponseHeader(WithoutLength(*frame), T::kKey, version);
  return DecodeResponse<T>(parts->body, version).value();
}

// The message of an error is no reason for another one.
TEST(Answer, LongErrorMessagesAreCutAtACharacter) {
  DescribeGroupsResponse response;
  auto& group = response.groups.emplace_back();
  group.error_code = 69;
  group.error_message = std::string(32766, 'm') + "\xe2\x82\xac";  // a euro
  EXPECT_FALSE(EncodeResponse(response, 6, 1));
  const auto answer = Answered(response, 6).groups[0];
  EXPECT_EQ(answer.error_code, 69);
  EXPECT_EQ(answer.error_message, std::string(32766, 'm'));
}

TEST(Answer, AValueThatDoesNotFitIsAnErrorOfWhateverHasIt) {
  DescribeConfigsResponse response;
  response.results.resize(2);
  auto& config = response.results[0].configs.emplace_back();
  config.value = std::string(32774, 'v');
  for (const int16_t version : {int16_t{1}, int16_t{4}}) {
    const auto answer = Answered(response, version);
    EXPECT_EQ(answer.results[0].error_code, -1);
    EXPECT_EQ(answer.results[1].error_code, 0);
  }
}

TEST(Answer, AnErrorThatIsThereIsKept) {
  JoinGroupResponse response;
  response.error_code = 79;
  response.member_id = std::string(40000, 'm');
  EXPECT_EQ(Answered(response, 9).error_code, 79);
  response.error_code = 0;
  EXPECT_EQ(Answered(response, 9).error_code, -1);
}

TEST(Answer, WhatHasNoErrorCodeSaysItInThoseBelow) {
  ListOffsetsResponse response;
  auto& topic = response.topics.emplace_back();
  topic.name = std::string(40000, 't');
  topic.partitions.resize(2);
  const auto answer = Answered(response, 8).topics[0];
  EXPECT_EQ(answer.partitions[0].error_code, -1);
  EXPECT_EQ(answer.partitions[1].error_code, -1);
}

TEST(Answer, WhatCannotSayItIsNoAnswer) {
  MetadataResponse response;
  response.brokers.emplace_back().host = std::string(40000, 'h');
  EXPECT_FALSE(EncodeAnswer(response, 12, 1));
  EXPECT_FALSE(EncodeVersioned(GroupMetadataKey{std::string(40000, 'g')}));
  // In a tagged field too.
  FetchRequest request;
  request.cluster_id = std::string(40000, 'c');
  EXPECT_FALSE(EncodeRequest(request, 12, 1));
  EXPECT_FALSE(EncodeRequest(FetchRequest{}, 12, 1, std::string(40000, 'c')));
}

// Every string of every answer, one after the other and all at once.
struct LongStrings {
  int left;  // strings before the one to fill; -1: all of them
  template <class T>
  void operator()(const char*, T& value, FieldSpec = {}) {
    Fill(value);
  }
  template <class T>
  void Fill(T& value) {
    if constexpr (std::same_as<T, std::string>) {
      if (left < 0 || left-- == 0) value.assign(33000, '\xc3');
    } else if constexpr (requires { value.emplace_back(); }) {
      Fill(value.emplace_back());
    } else if constexpr (requires { value.emplace(); }) {
      Fill(value.emplace());
    } else if constexpr (requires { T::VisitFields(value, *this); }) {
      T::VisitFields(value, *this);
    }
  }
};

TEST(Answer, NoStringOfAnyAnswerStopsTheProcess) {
  ForEachApi([]<class Request, class Response>(const std::string& name) {
    for (int version = Response::kMinVersion; version <= Response::kMaxVersion;
         ++version) {
      for (int which = -1; which < 12; ++which) {
        Response response;
        LongStrings strings{which};
        Response::VisitFields(response, strings);
        const auto v = static_cast<int16_t>(version);
        const auto frame = EncodeAnswer(std::move(response), v, 7);
        if (!frame) continue;
        const auto parts =
            DecodeResponseHeader(WithoutLength(*frame), Response::kKey, v);
        ASSERT_TRUE(parts) << name << " " << version;
        EXPECT_TRUE(DecodeResponse<Response>(parts->body, v))
            << name << " " << version << " " << which;
      }
    }
  });
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
