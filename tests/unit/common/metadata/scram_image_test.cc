#include "common/metadata/scram_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/metadata/apply.h"
#include "common/metadata/features.h"
#include "common/metadata/snapshot.h"

namespace tidemark::metadata {
namespace {

v1::Record Set(const std::string& user, v1::ScramMechanism mechanism,
               char key = 'k', int32_t iterations = 4096) {
  v1::Record record;
  auto* set = record.mutable_set_scram_credential();
  const size_t bytes = mechanism == v1::SCRAM_SHA_512 ? 64 : 32;
  set->set_user(user);
  set->set_mechanism(mechanism);
  set->set_salt("salt");
  set->set_stored_key(std::string(bytes, key));
  set->set_server_key(std::string(bytes, 's'));
  set->set_iterations(iterations);
  return record;
}

v1::Record Remove(const std::string& user, v1::ScramMechanism mechanism) {
  v1::Record record;
  record.mutable_remove_scram_credential()->set_user(user);
  record.mutable_remove_scram_credential()->set_mechanism(mechanism);
  return record;
}

Result<ImagePtr> Apply(ImagePtr image, std::vector<v1::Record> records) {
  v1::RecordBatch batch;
  for (auto& record : records) *batch.add_records() = std::move(record);
  return ApplyBatch(std::move(image), batch, 1, nullptr);
}

TEST(ScramImage, KeepsOneCredentialOfAUserAndMechanism) {
  const auto image =
      Apply(nullptr, {Set("a", v1::SCRAM_SHA_256), Set("a", v1::SCRAM_SHA_512),
                      Set("", v1::SCRAM_SHA_256),
                      Set("a", v1::SCRAM_SHA_256, 'n', 8192)})
          .value();
  const auto* found = image->scram().Find("a", ScramMechanism::kSha256);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->stored_key, std::string(32, 'n'));
  EXPECT_EQ(found->iterations, 8192);
  EXPECT_EQ(image->scram().Find("b", ScramMechanism::kSha256), nullptr);
  int users = 0;
  image->scram().Each([&](const std::string& user, auto, const auto&) {
    EXPECT_EQ(user, "a") << "nobody is no user";
    ++users;
  });
  EXPECT_EQ(users, 2);
  const auto less = Apply(image, {Remove("a", v1::SCRAM_SHA_256)}).value();
  EXPECT_EQ(less->scram().Find("a", ScramMechanism::kSha256), nullptr);
  EXPECT_NE(less->scram().Find("a", ScramMechanism::kSha512), nullptr);
  EXPECT_NE(image->scram().Find("a", ScramMechanism::kSha256), nullptr);
}

TEST(ScramImage, RefusesWhatItCannotCheckWith) {
  auto bad = [](auto change) {
    v1::Record record = Set("a", v1::SCRAM_SHA_256);
    change(record.mutable_set_scram_credential());
    return !Apply(nullptr, {record});
  };
  EXPECT_FALSE(bad([](auto*) {}));
  EXPECT_TRUE(bad([](auto* set) { set->clear_salt(); }));
  EXPECT_TRUE(bad([](auto* set) { set->set_stored_key("short"); }));
  EXPECT_TRUE(bad([](auto* set) { set->clear_server_key(); }));
  EXPECT_TRUE(bad([](auto* set) { set->set_iterations(0); }));
  EXPECT_TRUE(bad([](auto* set) { set->set_mechanism(v1::SCRAM_UNKNOWN); }));
  EXPECT_TRUE(bad([](auto* set) { set->set_mechanism(v1::SCRAM_SHA_512); }));
  EXPECT_FALSE(Apply(nullptr, {Remove("a", v1::SCRAM_SHA_256)}));
}

TEST(ScramImage, IsInSnapshots) {
  const auto image =
      Apply(nullptr, {Set("b", v1::SCRAM_SHA_256), Set("a", v1::SCRAM_SHA_512)})
          .value();
  const auto records = ToRecords(*image);
  EXPECT_EQ(records.records_size(), 2);
  for (const auto& record : records.records()) {
    EXPECT_EQ(RequiredLevel(record), kSecurityLevel);
  }
  EXPECT_EQ(RequiredLevel(Remove("a", v1::SCRAM_SHA_256)), kSecurityLevel);
  const auto again = FromRecords(records, image->offset()).value();
  EXPECT_TRUE(Equal(*image, *again));
  const auto other = Apply(image, {Set("b", v1::SCRAM_SHA_256, 'x')}).value();
  EXPECT_FALSE(Equal(*image, *other));
}

}  // namespace
}  // namespace tidemark::metadata
