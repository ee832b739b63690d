#include <gtest/gtest.h>

#include <map>
#include <set>

#include "common/record/batch_reader.h"
#include "tests/unit/common/kafka/all_messages.h"

namespace tidemark::kafka {
namespace {

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    hex += two;
  }
  return hex;
}

TEST(Golden, KafkasFramesComeOutAsTheyWentIn) {
  for (const GoldenFrame& golden : LoadGoldenFrames()) {
    const SharedBytes body = BodyOf(golden);
    const auto again = golden.recode(body, golden.version);
    ASSERT_TRUE(again) << golden.name << ": " << ToString(again.error());
    EXPECT_EQ(Hex(*again), Hex(body.view())) << golden.name;
  }
}

TEST(Golden, FirstAndLastVersionsOfEveryApiAreCovered) {
  std::map<std::pair<ApiKey, bool>, std::set<int16_t>> seen;
  for (const GoldenFrame& golden : LoadGoldenFrames()) {
    seen[{golden.key, golden.is_request}].insert(golden.version);
  }
  ForEachApi([&]<class Request, class Response>(const std::string& name) {
    for (const bool is_request : {true, false}) {
      const auto& versions = seen[{Request::kKey, is_request}];
      // Kafka 4 removed this one; it stays for old clients.
      const int16_t first = name == "offset_commit" ? 2 : Request::kMinVersion;
      EXPECT_TRUE(versions.contains(first)) << name;
      EXPECT_TRUE(versions.contains(Request::kMaxVersion)) << name;
    }
  });
}

TEST(Golden, RequestHeaders) {
  for (const GoldenFrame& golden : LoadGoldenFrames()) {
    if (!golden.is_request) continue;
    const auto request = DecodeRequestHeader(golden.frame);
    ASSERT_TRUE(request) << golden.name;
    EXPECT_EQ(request->header.api_key, golden.key) << golden.name;
    EXPECT_EQ(request->header.api_version, golden.version) << golden.name;
    EXPECT_EQ(request->header.client_id, "capture") << golden.name;
  }
}

template <class T>
void ExpectSameAfterRecoding(std::string_view bytes) {
  const SharedBytes shared{std::string(bytes)};
  const auto message = DecodeVersioned<T>(shared);
  ASSERT_TRUE(message) << ToString(message.error());
  EXPECT_EQ(Hex(EncodeVersioned(*message, *PeekVersion(bytes)).value()),
            Hex(bytes));
}

TEST(Golden, KafkasGroupRecords) {
  std::ifstream file(TIDEMARK_TEST_DATA "/kafka/batches.txt");
  std::string topic, hex;
  while (file >> topic >> hex && topic != "__consumer_offsets") {
  }
  const std::string bytes = FromHex(hex);
  record::BatchIterator batches(bytes);
  int offsets = 0, groups = 0, members = 0;
  while (true) {
    const auto batch = batches.Next();
    ASSERT_TRUE(batch);
    if (!*batch) break;
    const Status status = record::ForEachRecord(
        (*batch)->bytes, [&](const record::Record& record) -> Status {
          if (*PeekVersion(*record.key) <= OffsetCommitKey::kMaxVersion) {
            ++offsets;
            ExpectSameAfterRecoding<OffsetCommitKey>(*record.key);
            if (record.value) {
              ExpectSameAfterRecoding<OffsetCommitValue>(*record.value);
            }
          } else {
            ++groups;
            ExpectSameAfterRecoding<GroupMetadataKey>(*record.key);
            if (record.value) {
              ExpectSameAfterRecoding<GroupMetadataValue>(*record.value);
              members += !DecodeVersioned<GroupMetadataValue>(
                              SharedBytes(std::string(*record.value)))
                              ->members.empty();
            }
          }
          return {};
        });
    EXPECT_TRUE(status) << ToString(status.error());
  }
  EXPECT_EQ(batches.position(), bytes.size());
  EXPECT_GT(offsets, 0);
  EXPECT_GT(groups, 0);
  EXPECT_GT(members, 0);
}

}  // namespace
}  // namespace tidemark::kafka
