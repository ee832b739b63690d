#include <gmock/gmock.h>

#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/feature_decisions.h"
#include "controller/metadata/registration.h"
#include "tests/unit/controller/metadata/test_state.h"

namespace tidemark::controller {
namespace {

using metadata::InitialLevels;
using metadata::kBaseLevel;
using metadata::kFeaturesLevel;
using metadata::kKraftVersion;
using metadata::kMetadataVersion;
using metadata::kTransactionVersion;
using metadata::SupportedFeatures;
using testing::HasSubstr;
using Request = admin_v1::UpdateFeaturesRequest;

record_v1::Record SetLevel(const std::string& name, int32_t level) {
  record_v1::Record record;
  record.mutable_set_feature()->set_name(name);
  record.mutable_set_feature()->set_level(level);
  return record;
}

Request Ask(const std::string& name, int32_t level, Request::Kind kind) {
  Request request;
  auto* update = request.add_updates();
  update->set_name(name);
  update->set_level(level);
  update->set_kind(kind);
  return request;
}

class FeaturesTest : public ::testing::Test {
 protected:
  FeaturesTest() {
    state_.Broker(1).Broker(2);
    facts_.nodes = {{101, true, SupportedFeatures()},
                    {1, false, SupportedFeatures()},
                    {2, false, SupportedFeatures()}};
    facts_.voters_in_log = true;
  }

  ErrorCode Code(const Request& request, std::string* why = nullptr) {
    const auto decision = Decided(request);
    const auto& result = decision.response.results(0);
    if (why != nullptr) *why = result.message();
    if (result.code() != 0) {
      EXPECT_TRUE(decision.records.empty());
    }
    return static_cast<ErrorCode>(result.code());
  }
  void Do(const Request& request) {
    auto decision = Decided(request);
    for (const auto& result : decision.response.results()) {
      ASSERT_EQ(result.code(), 0) << result.message();
    }
    ASSERT_TRUE(CheckLevels(decision.records, *state_));
    state_.Apply(decision.records);
  }
  View view() const {
    return {.image = *state_, .settings = settings_, .features = &facts_};
  }
  Decision<admin_v1::UpdateFeaturesResponse> Decided(const Request& request) {
    return *Decide(view(), request);
  }
  int16_t level() const { return state_->features().metadata_version(); }

  const Settings settings_;
  State state_;
  FeatureFacts facts_;
  const Request up_ = Ask(kMetadataVersion, kFeaturesLevel, Request::UPGRADE);
  const Request down_ =
      Ask(kMetadataVersion, kBaseLevel, Request::SAFE_DOWNGRADE);
};

TEST_F(FeaturesTest, NothingIsWrittenAboveTheLevel) {
  record_v1::Record kraft = SetLevel(kKraftVersion, 1);
  record_v1::Record change;
  change.mutable_change_broker()->mutable_features();
  for (const auto& record : {kraft, change}) {
    const Status allowed = CheckLevels({record}, *state_);
    ASSERT_FALSE(allowed);
    EXPECT_EQ(allowed.error().code, ErrorCode::kUnsupportedVersion);
    EXPECT_THAT(allowed.error().message,
                HasSubstr("tidemark features upgrade"));
    EXPECT_TRUE(CheckLevels({SetLevel(kMetadataVersion, 2), record}, *state_));
    EXPECT_FALSE(CheckLevels({record, SetLevel(kMetadataVersion, 2)}, *state_));
  }
  record_v1::Record old;
  old.mutable_no_op();
  EXPECT_TRUE(CheckLevels({old}, *state_));
  // On the way down up to the record that lowers it.
  state_.Apply({SetLevel(kMetadataVersion, 2)});
  EXPECT_TRUE(CheckLevels({change, SetLevel(kMetadataVersion, 1)}, *state_));
  EXPECT_FALSE(CheckLevels({SetLevel(kMetadataVersion, 1), change}, *state_));
}

TEST_F(FeaturesTest, RaisedWhenEveryNodeHasSaidSo) {
  std::string why;
  for (FeatureNode& node : facts_.nodes) {
    const auto said = std::exchange(node.said, std::nullopt);
    EXPECT_EQ(Code(up_, &why), ErrorCode::kInvalidUpdateVersion);
    EXPECT_THAT(why, HasSubstr("has not said"));
    node.said.emplace();  // of the release before
    EXPECT_EQ(Code(up_, &why), ErrorCode::kInvalidUpdateVersion);
    EXPECT_THAT(why, HasSubstr(std::to_string(node.id) + " supports 1 to 1"));
    node.said = said;
  }
  Request dry = up_;
  dry.set_validate_only(true);
  const auto would = Decided(dry);
  EXPECT_EQ(would.response.results(0).code(), 0);
  EXPECT_TRUE(would.records.empty());
  Do(up_);
  EXPECT_EQ(level(), kFeaturesLevel);
  EXPECT_TRUE(Decided(up_).records.empty()) << "it is so already";
}

TEST_F(FeaturesTest, WhatMakesNoSenseIsRefusedWhole) {
  EXPECT_EQ(Decide(view(), Request()).error().code, ErrorCode::kInvalidRequest);
  std::string why;
  EXPECT_EQ(Code(Ask(kMetadataVersion, 29, Request::UPGRADE), &why),
            ErrorCode::kInvalidUpdateVersion);
  EXPECT_THAT(why, HasSubstr("levels are tidemark's own"));
  EXPECT_EQ(Code(Ask(kKraftVersion, 1, Request::UPGRADE), &why),
            ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(why, HasSubstr("needs metadata.version 2"));
  EXPECT_EQ(Code(Ask("group.version", 1, Request::UPGRADE), &why),
            ErrorCode::kInvalidUpdateVersion);
  EXPECT_THAT(why, HasSubstr("does not support this feature"));
  EXPECT_EQ(Code(Ask(kMetadataVersion, 2, Request::UNKNOWN)),
            ErrorCode::kInvalidRequest);
  EXPECT_EQ(Code(Ask(kMetadataVersion, 2, Request::SAFE_DOWNGRADE)),
            ErrorCode::kInvalidUpdateVersion);
  Request twice = up_;
  *twice.add_updates() = up_.updates(0);
  EXPECT_EQ(Code(twice), ErrorCode::kInvalidRequest);
  Request half = up_;
  *half.add_updates() = Ask("foo", 1, Request::UPGRADE).updates(0);
  const auto decision = Decided(half);
  EXPECT_TRUE(decision.records.empty());
  for (const auto& result : decision.response.results()) {
    EXPECT_NE(result.code(), 0);
  }
}

TEST_F(FeaturesTest, LoweredWithAllThatNeedsIt) {
  Request both = Ask(kKraftVersion, 1, Request::UPGRADE);
  *both.add_updates() = up_.updates(0);
  Do(both);
  rpc_v1::HeartbeatRequest beat;
  beat.set_broker_id(1);
  beat.set_broker_epoch(state_->FindBroker(1)->epoch);
  WriteFeatures(SupportedFeatures(), beat.mutable_features());
  const auto heard = Decide(view(), beat);
  ASSERT_EQ(heard.records.size(), 1u);
  state_.Apply(heard.records);
  EXPECT_EQ(state_->FindBroker(1)->features, SupportedFeatures());
  EXPECT_TRUE(Decide(view(), beat).records.empty());
  EXPECT_EQ(KindAbove(*state_, kBaseLevel), "set_feature");
  EXPECT_EQ(KindAbove(*state_, kFeaturesLevel), "");

  std::string why;
  EXPECT_EQ(Code(Ask(kMetadataVersion, kBaseLevel, Request::UPGRADE), &why),
            ErrorCode::kInvalidUpdateVersion);
  EXPECT_THAT(why, HasSubstr("without setting the upgrade type"));
  EXPECT_EQ(Code(Ask(kKraftVersion, 0, Request::UNSAFE_DOWNGRADE)),
            ErrorCode::kInvalidUpdateVersion);
  Do(down_);
  EXPECT_EQ(level(), kBaseLevel);
  EXPECT_EQ(KindAbove(*state_, kBaseLevel), "");
  EXPECT_TRUE(state_->FindBroker(1)->features.empty());
  // Nobody brings it back: not a heartbeat, not the quorum.
  EXPECT_TRUE(Decide(view(), beat).records.empty());
  EXPECT_TRUE(DecideOwnFeatures(view(), {}).empty());
  // One of the release before does well again.
  EXPECT_TRUE(CheckSupports(*state_, "broker 1", {}));
}

TEST_F(FeaturesTest, ABrokerMustSupportTheLevelInForce) {
  rpc_v1::RegisterRequest request;
  request.set_broker_id(3);
  request.set_incarnation_id(TestId(3).ToBytes());
  request.add_directory_ids(TestId(2000).ToBytes());
  auto* endpoint = request.add_endpoints();
  endpoint->set_name("PLAINTEXT");
  endpoint->set_host("h");
  endpoint->set_port(9092);
  // Of the release before, at its level.
  auto decision = Decide(view(), request);
  EXPECT_EQ(decision.response.error().code(), 0);
  EXPECT_TRUE(CheckLevels(decision.records, *state_));
  // Of this one, at that level: what it says is not in the log.
  WriteFeatures(SupportedFeatures(), request.mutable_features());
  decision = Decide(view(), request);
  EXPECT_TRUE(CheckLevels(decision.records, *state_));
  Do(up_);
  decision = Decide(view(), request);
  EXPECT_EQ(decision.response.error().code(), 0);
  ASSERT_EQ(decision.records.size(), 1u);
  EXPECT_EQ(ReadFeatures(decision.records[0].register_broker().features()),
            SupportedFeatures());
  request.clear_features();
  decision = Decide(view(), request);
  EXPECT_EQ(decision.response.error().code(),
            static_cast<int>(ErrorCode::kUnsupportedVersion));
  EXPECT_THAT(decision.response.error().message(),
              HasSubstr("broker 3 supports metadata.version 1 to 1"));
  EXPECT_TRUE(decision.records.empty());
}

TEST_F(FeaturesTest, ANewClusterBeginsAtItsLevelOnceAllSupportIt) {
  EXPECT_TRUE(DecideOwnFeatures(view(), {}).empty());
  facts_.nodes[0].said.emplace();
  EXPECT_TRUE(DecideOwnFeatures(view(), InitialLevels()).empty());
  facts_.nodes[0].said = SupportedFeatures();
  const Records records = DecideOwnFeatures(view(), InitialLevels());
  ASSERT_EQ(records.size(), 3u);
  EXPECT_TRUE(CheckLevels(records, *state_));
  state_.Apply(records);
  EXPECT_EQ(level(), metadata::kNewestLevel);
  EXPECT_EQ(state_->features().LevelOf(kKraftVersion), 1);
  EXPECT_EQ(state_->features().LevelOf(kTransactionVersion), 2);
  EXPECT_TRUE(DecideOwnFeatures(view(), InitialLevels()).empty());
}

TEST_F(FeaturesTest, KraftVersionFollowsTheVoters) {
  Do(up_);
  facts_.voters_in_log = false;
  EXPECT_TRUE(DecideOwnFeatures(view(), {}).empty());
  std::string why;
  EXPECT_EQ(Code(Ask(kKraftVersion, 1, Request::UPGRADE), &why),
            ErrorCode::kInvalidUpdateVersion);
  EXPECT_THAT(why, HasSubstr("by itself"));
  facts_.voters_in_log = true;
  state_.Apply(DecideOwnFeatures(view(), {}));
  EXPECT_EQ(state_->features().LevelOf(kKraftVersion), 1);
}

TEST_F(FeaturesTest, DescribedWithWhatEachNodeSupports) {
  facts_.nodes[1].said = std::nullopt;
  facts_.nodes[2].said.emplace();
  const auto all = Describe(view(), admin_v1::DescribeFeaturesRequest());
  EXPECT_EQ(all.epoch(), state_->offset());
  ASSERT_EQ(all.features_size(), 3);
  EXPECT_EQ(all.features(0).name(), kMetadataVersion);
  EXPECT_EQ(all.features(0).level(), 1);
  EXPECT_EQ(all.features(0).max_level(), metadata::kNewestLevel);
  ASSERT_EQ(all.nodes_size(), 3);
  EXPECT_TRUE(all.nodes(0).controller());
  EXPECT_FALSE(all.nodes(1).known());
  EXPECT_EQ(ReadFeatures(all.nodes(2).features()).at(kMetadataVersion).max, 1);
}

}  // namespace
}  // namespace tidemark::controller
