#include "common/metadata/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/metadata/apply.h"
#include "common/metadata/snapshot.h"

namespace tidemark::metadata {
namespace {

using testing::HasSubstr;

v1::Record SetLevel(const std::string& name, int32_t level) {
  v1::Record record;
  record.mutable_set_feature()->set_name(name);
  record.mutable_set_feature()->set_level(level);
  return record;
}

v1::Record Register(NodeId id) {
  v1::Record record;
  auto* broker = record.mutable_register_broker();
  broker->set_broker_id(id);
  broker->set_incarnation_id(std::string(16, 'i'));
  return record;
}

v1::RecordBatch BatchOf(std::vector<v1::Record> records) {
  v1::RecordBatch batch;
  for (auto& record : records) *batch.add_records() = std::move(record);
  return batch;
}

TEST(Features, EveryKindOfRecordHasItsLevel) {
  const auto* kinds = v1::Record::descriptor();
  std::set<std::string> above;
  for (int i = 0; i < kinds->field_count(); ++i) {
    v1::Record record;
    const auto* field = kinds->field(i);
    record.GetReflection()->MutableMessage(&record, field);
    EXPECT_EQ(KindOf(record), field->name());
    const int16_t level = RequiredLevel(record);
    EXPECT_GE(level, kBaseLevel);
    EXPECT_LE(level, kNewestLevel) << field->name();
    if (level > kBaseLevel) above.insert(std::string(field->name()));
  }
  // What the releases before feature levels wrote is theirs for ever.
  EXPECT_EQ(above, (std::set<std::string>{"set_feature", "set_acl",
                                          "remove_acl", "set_scram_credential",
                                          "remove_scram_credential"}));
  EXPECT_EQ(RequiredLevel(v1::Record()), INT16_MAX);
}

TEST(Features, AFieldThatAKindGotLaterHasItsOwn) {
  v1::Record record = Register(1);
  EXPECT_EQ(RequiredLevel(record), kBaseLevel);
  WriteFeatures(SupportedFeatures(),
                record.mutable_register_broker()->mutable_features());
  EXPECT_EQ(RequiredLevel(record), kFeaturesLevel);
  v1::Record change;
  change.mutable_change_broker()->set_broker_id(1);
  EXPECT_EQ(RequiredLevel(change), kBaseLevel);
  change.mutable_change_broker()->mutable_features();
  EXPECT_EQ(RequiredLevel(change), kFeaturesLevel);
}

TEST(Features, MovesAndSettingsOfGroupsAreOfTheirLevel) {
  v1::Record add, change, config;
  add.mutable_add_partition()->add_replicas(1);
  change.mutable_change_partition()->add_replicas(1);
  config.mutable_set_config()->set_type(v1::BROKER);
  for (const v1::Record& record : {add, change, config}) {
    EXPECT_EQ(RequiredLevel(record), kBaseLevel);
  }
  auto removing = add, ended = change, metrics = config;
  add.mutable_add_partition()->add_adding_replicas(1);
  removing.mutable_add_partition()->add_removing_replicas(1);
  change.mutable_change_partition()->mutable_adding_replicas();
  ended.mutable_change_partition()->mutable_removing_replicas();
  config.mutable_set_config()->set_type(v1::GROUP);
  metrics.mutable_set_config()->set_type(v1::CLIENT_METRICS);
  for (const v1::Record& record :
       {add, removing, change, ended, config, metrics}) {
    EXPECT_EQ(RequiredLevel(record), kMovesLevel);
  }
}

TEST(Features, ALogOfTheReleaseBeforeIsAtTheBaseLevel) {
  auto image =
      ApplyBatch(nullptr, BatchOf({Register(1), Register(2)}), 1, nullptr);
  ASSERT_TRUE(image);
  EXPECT_EQ((*image)->features().metadata_version(), kBaseLevel);
  EXPECT_EQ((*image)->features().LevelOf(kKraftVersion), 0);
  EXPECT_EQ((*image)->features().LevelOf("unheard.of"), 0);
  // And so is its snapshot: nothing in it that the release before would die of,
  // and no field that it would drop.
  const v1::RecordBatch records = ToRecords(**image);
  for (const v1::Record& record : records.records()) {
    EXPECT_EQ(RequiredLevel(record), kBaseLevel);
  }
}

TEST(Features, LevelsComeBackFromASnapshotInFrontOfTheRest) {
  auto image = ApplyBatch(nullptr,
                          BatchOf({Register(1), SetLevel(kMetadataVersion, 2),
                                   SetLevel(kKraftVersion, 1)}),
                          7, nullptr);
  ASSERT_TRUE(image);
  const v1::RecordBatch records = ToRecords(**image);
  ASSERT_EQ(records.records_size(), 3);
  EXPECT_TRUE(records.records(0).has_set_feature());
  auto again = FromRecords(records, 7);
  ASSERT_TRUE(again);
  EXPECT_TRUE(Equal(**image, **again));
  EXPECT_EQ((*again)->features().metadata_version(), 2);
  // Back at the base level nothing is left of them.
  auto lowered = ApplyBatch(
      *image,
      BatchOf({SetLevel(kKraftVersion, 0), SetLevel(kMetadataVersion, 1)}), 8,
      nullptr);
  ASSERT_TRUE(lowered);
  EXPECT_FALSE(Equal(**image, **lowered));
  EXPECT_EQ(ToRecords(**lowered).records_size(), 1);
}

TEST(Features, WhatANewerReleaseWroteIsNamed) {
  const std::string range = "supports 1 to " + std::to_string(kNewestLevel);
  for (const auto& [record, why] :
       {std::pair(SetLevel(kMetadataVersion, kNewestLevel + 1), range),
        {SetLevel(kMetadataVersion, 0), range},
        {SetLevel("metadata.colour", 1), "does not know that feature"}}) {
    auto image = ApplyBatch(nullptr, BatchOf({record}), 5, nullptr);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().code, ErrorCode::kUnsupportedVersion);
    EXPECT_THAT(image.error().message, HasSubstr(why));
    EXPECT_THAT(image.error().message, HasSubstr("run the release"));
  }
  // A kind of record from the future.
  v1::Record unknown;
  ASSERT_TRUE(
      unknown.ParseFromString(std::string("\xf2\x3f\x00", 3)));  // field 1022
  auto image = ApplyBatch(nullptr, BatchOf({unknown}), 5, nullptr);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(image.error().message, HasSubstr("metadata.version level 1"));
}

TEST(Features, OfWhatANodeDoesNotNameItSupportsWhatIsAssumed) {
  EXPECT_EQ(RangeOf({}, kMetadataVersion), (LevelRange{1, 1}));
  EXPECT_EQ(RangeOf({}, kKraftVersion), (LevelRange{0, 0}));
  EXPECT_EQ(RangeOf({}, "unheard.of"), std::nullopt);
  EXPECT_EQ(RangeOf({{"unheard.of", {1, 3}}}, "unheard.of"),
            (LevelRange{1, 3}));
  EXPECT_EQ(RangeOf(SupportedFeatures(), kMetadataVersion),
            (LevelRange{1, kNewestLevel}));
}

TEST(Features, WhatANodeSaysIsBounded) {
  v1::FeatureRanges said;
  for (int i = 0; i < 1000; ++i) {
    auto* one = said.add_features();
    one->set_name("f" + std::to_string(i));
    one->set_max_level(1);
  }
  EXPECT_EQ(ReadFeatures(said.features()).size(), kMaxFeatures);
  said.clear_features();
  for (const auto& [name, min, max] :
       {std::tuple(std::string(kMaxFeatureName + 1, 'x'), 0, 1),
        {std::string(), 0, 1},
        {std::string("below"), -1, 1},
        {std::string("empty"), 2, 1},
        {std::string("above"), 0, INT16_MAX + 1}}) {
    auto* one = said.add_features();
    one->set_name(name);
    one->set_min_level(min);
    one->set_max_level(max);
  }
  EXPECT_TRUE(ReadFeatures(said.features()).empty());
}

TEST(Features, ABrokersAreChangedAndStayWithARepeatedRegistration) {
  v1::Record change;
  change.mutable_change_broker()->set_broker_id(1);
  change.mutable_change_broker()->set_broker_epoch(3);
  WriteFeatures(
      SupportedFeatures(),
      change.mutable_change_broker()->mutable_features()->mutable_features());
  auto image = ApplyBatch(nullptr, BatchOf({Register(1), change}), 3, nullptr);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ((*image)->FindBroker(1)->features, SupportedFeatures());
  auto again = FromRecords(ToRecords(**image), 3);
  ASSERT_TRUE(again);
  EXPECT_TRUE(Equal(**image, **again));
  // Other changes leave them alone.
  v1::Record fenced;
  fenced.mutable_change_broker()->set_broker_id(1);
  fenced.mutable_change_broker()->set_broker_epoch(3);
  fenced.mutable_change_broker()->set_fenced(true);
  image = ApplyBatch(*image, BatchOf({fenced}), 4, nullptr);
  ASSERT_TRUE(image);
  EXPECT_EQ((*image)->FindBroker(1)->features, SupportedFeatures());
}

}  // namespace
}  // namespace tidemark::metadata
