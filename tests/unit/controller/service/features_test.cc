#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/metadata/snapshot.h"
#include "tests/unit/controller/service/fakes.h"

namespace tidemark::controller {
namespace {

using metadata::kBaseLevel;
using metadata::kFeaturesLevel;
using metadata::kKraftVersion;
using metadata::kMetadataVersion;
using metadata::SupportedFeatures;
using std::chrono::milliseconds;
using testing::HasSubstr;
using Request = admin_v1::UpdateFeaturesRequest;

// One that knows its members, and what they have said.
class KnowingQuorum final : public FakeQuorum {
 public:
  using FakeQuorum::FakeQuorum;
  quorum::QuorumStatus status() const override {
    quorum::QuorumStatus out = FakeQuorum::status();
    out.snapshot = snapshot;
    out.adding = adding;
    for (NodeId id : {1, 2, 3}) {
      quorum::QuorumStatus::Peer peer;
      peer.voter.id = id;
      if (agreed) peer.directory = TestUuid(id);
      out.peers.push_back(peer);
    }
    return out;
  }
  std::optional<FeatureRanges> FeaturesOf(
      const raft::Member& member) const override {
    auto found = said.find(member.id);
    if (found == said.end()) return std::nullopt;
    return found->second;
  }
  bool agreed = true;
  std::vector<NodeId> adding;
  MetadataOffset snapshot = 0;
  std::map<NodeId, FeatureRanges> said{{1, SupportedFeatures()},
                                       {2, SupportedFeatures()},
                                       {3, SupportedFeatures()}};
};

ControllerOptions OptionsWith(int16_t bootstrap) {
  ControllerOptions options = TestOptions();
  if (bootstrap > 0) options.bootstrap_levels[kMetadataVersion] = bootstrap;
  return options;
}

struct Cluster {
  explicit Cluster(int16_t bootstrap = 0)
      : controller(OptionsWith(bootstrap), &executor, TestRandomness()),
        quorum(1, &controller) {
    controller.Attach(&quorum);
  }

  rpc_v1::RegisterResponse Register(NodeId id, const FeatureRanges& said) {
    rpc_v1::RegisterRequest request = RegisterOf(id, static_cast<int>(id));
    WriteFeatures(said, request.mutable_features());
    rpc_v1::RegisterResponse out;
    controller.Call(request, [&](Result<rpc_v1::RegisterResponse> r) {
      ASSERT_TRUE(r);
      out = *r;
    });
    return out;
  }
  void Beat(NodeId id, const FeatureRanges& said) {
    rpc_v1::HeartbeatRequest request;
    request.set_broker_id(id);
    request.set_broker_epoch(controller.committed()->FindBroker(id)->epoch);
    request.set_want_fence(true);
    WriteFeatures(said, request.mutable_features());
    controller.Call(request, [](Result<rpc_v1::HeartbeatResponse>) {});
  }
  Result<admin_v1::UpdateFeaturesResponse> Update(int32_t level,
                                                  Request::Kind kind,
                                                  int request_id = 0) {
    Request request;
    auto* update = request.add_updates();
    update->set_name(kMetadataVersion);
    update->set_level(level);
    update->set_kind(kind);
    if (request_id != 0) {
      request.set_request_id(TestUuid(request_id).ToBytes());
    }
    Result<admin_v1::UpdateFeaturesResponse> out =
        Fail(ErrorCode::kRequestTimedOut);
    controller.Call(request, [&](Result<admin_v1::UpdateFeaturesResponse> r) {
      out = std::move(r);
    });
    return out;
  }
  int CodeOf(int32_t level, Request::Kind kind) {
    auto response = Update(level, kind);
    return response ? response->results(0).code() : -2;
  }
  int16_t level() const {
    return controller.committed()->features().metadata_version();
  }

  ManualExecutor executor;
  Controller controller;
  KnowingQuorum quorum;
};

TEST(ControllerFeatures, ANewClusterBeginsAtTheLevelOfItsFormatting) {
  Cluster cluster(kFeaturesLevel);
  cluster.quorum.said.erase(3);
  cluster.quorum.Elect(1);
  EXPECT_EQ(cluster.level(), kBaseLevel) << "one has not said anything";
  cluster.quorum.said[3] = SupportedFeatures();
  cluster.executor.Advance(milliseconds(60));
  EXPECT_EQ(cluster.level(), kFeaturesLevel);
  EXPECT_EQ(cluster.controller.committed()->features().LevelOf(kKraftVersion),
            1);
  const size_t written = cluster.quorum.log.size();
  cluster.executor.Advance(milliseconds(500));
  EXPECT_EQ(cluster.quorum.log.size(), written) << "once";
  // Nor does it come back when somebody has lowered it: nothing is stored yet.
  EXPECT_EQ(cluster.CodeOf(kBaseLevel, Request::SAFE_DOWNGRADE), 0);
  cluster.executor.Advance(milliseconds(500));
  EXPECT_EQ(cluster.level(), kBaseLevel);
  cluster.controller.TakeSnapshot();
  cluster.executor.Advance(milliseconds(500));
  EXPECT_EQ(cluster.level(), kBaseLevel);
}

// What it supports was looked at when it was to be added: at the level of then.
TEST(ControllerFeatures, NoLevelChangesWhileAControllerIsBeingAdded) {
  Cluster cluster;
  cluster.quorum.Elect(1);
  cluster.quorum.adding = {4};
  auto refused = cluster.Update(kFeaturesLevel, Request::UPGRADE);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->results(0).code(),
            static_cast<int>(ErrorCode::kInvalidUpdateVersion));
  EXPECT_THAT(refused->results(0).message(),
              HasSubstr("Controller 4 is being added"));
  EXPECT_EQ(cluster.level(), kBaseLevel);
  cluster.quorum.adding = {};
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE), 0);
  // Nor down: the level that it has been told to support may be the higher one.
  cluster.quorum.adding = {4};
  EXPECT_EQ(cluster.CodeOf(kBaseLevel, Request::SAFE_DOWNGRADE),
            static_cast<int>(ErrorCode::kInvalidUpdateVersion));
}

TEST(ControllerFeatures, OneThatIsInUseStaysWhereItIs) {
  Cluster cluster(kFeaturesLevel);
  cluster.quorum.said.erase(3);
  cluster.quorum.Elect(1);
  cluster.Register(1, SupportedFeatures());
  rpc_v1::AllocateProducerIdsRequest ids;
  ids.set_broker_id(1);
  ids.set_broker_epoch(cluster.controller.committed()->FindBroker(1)->epoch);
  cluster.controller.Call(ids,
                          [](Result<rpc_v1::AllocateProducerIdsResponse>) {});
  cluster.quorum.said[3] = SupportedFeatures();
  cluster.executor.Advance(milliseconds(500));
  EXPECT_EQ(cluster.level(), kBaseLevel);
  // As one that was lowered before anything was made in it.
  Cluster lowered(kFeaturesLevel);
  lowered.quorum.snapshot = 4;
  lowered.quorum.Elect(1);
  lowered.executor.Advance(milliseconds(500));
  EXPECT_EQ(lowered.level(), kBaseLevel);
}

TEST(ControllerFeatures, RaisedWhenBrokersOfTheReleaseBeforeAreGone) {
  Cluster cluster;
  cluster.quorum.Elect(1);
  EXPECT_EQ(cluster.Register(1, {}).error().code(), 0);
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE),
            static_cast<int>(ErrorCode::kInvalidUpdateVersion));
  // The same process says nothing else; another one does.
  auto again = RegisterOf(1, 77);
  WriteFeatures(SupportedFeatures(), again.mutable_features());
  cluster.controller.Call(again, [](Result<rpc_v1::RegisterResponse> r) {
    EXPECT_EQ(r->error().code(), 0);
  });
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE), 0);
  EXPECT_EQ(cluster.level(), kFeaturesLevel);
  // One of the release before comes too late.
  EXPECT_EQ(cluster.Register(2, {}).error().code(),
            static_cast<int>(ErrorCode::kUnsupportedVersion));
  EXPECT_EQ(cluster.controller.committed()->FindBroker(2), nullptr);
}

TEST(ControllerFeatures, ANewActiveControllerIsToldByHeartbeats) {
  Cluster cluster;
  cluster.quorum.Elect(1);
  cluster.Register(1, SupportedFeatures());
  cluster.quorum.Depose(2, false);
  cluster.quorum.Elect(3);
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE),
            static_cast<int>(ErrorCode::kInvalidUpdateVersion))
      << "nobody has told it yet";
  cluster.Beat(1, SupportedFeatures());
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE), 0);
  cluster.Beat(1, SupportedFeatures());
  EXPECT_EQ(cluster.controller.committed()->FindBroker(1)->features,
            SupportedFeatures());
  // Now it is in the log, and the next one knows.
  cluster.quorum.Depose(2, false);
  cluster.quorum.Elect(4);
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE), 0);
}

TEST(ControllerFeatures, AskedTwiceTheyAreChangedOnce) {
  Cluster cluster;
  cluster.quorum.agreed = false;
  cluster.quorum.Elect(1);
  ASSERT_TRUE(cluster.Update(kFeaturesLevel, Request::UPGRADE, 9));
  ASSERT_TRUE(cluster.Update(kBaseLevel, Request::SAFE_DOWNGRADE, 10));
  const auto again = cluster.Update(kFeaturesLevel, Request::UPGRADE, 9);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->results(0).code(), 0);
  EXPECT_EQ(cluster.level(), kBaseLevel);
}

// Until then a controller of the release before could not read the log.
TEST(ControllerFeatures, ALoweredLevelWantsASnapshot) {
  Cluster cluster;
  cluster.quorum.Elect(1);
  EXPECT_FALSE(cluster.controller.WantsSnapshot());
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE), 0);
  EXPECT_FALSE(cluster.controller.WantsSnapshot());
  EXPECT_EQ(cluster.CodeOf(kBaseLevel, Request::SAFE_DOWNGRADE), 0);
  EXPECT_TRUE(cluster.controller.WantsSnapshot());
  EXPECT_EQ(cluster.controller.LevelOnDisk(), kFeaturesLevel);

  // So does who has it from the log, all at once, after a crash.
  Cluster standby;
  standby.controller.Apply(cluster.quorum.log);
  EXPECT_TRUE(standby.controller.WantsSnapshot());
  const std::string snapshot = ToBytes(*standby.controller.TakeSnapshot());
  EXPECT_FALSE(standby.controller.WantsSnapshot());
  EXPECT_EQ(standby.controller.LevelOnDisk(), kFeaturesLevel) << "not stored";
  standby.quorum.snapshot = standby.controller.committed()->offset();
  EXPECT_EQ(standby.controller.LevelOnDisk(), kBaseLevel);
  record_v1::RecordBatch records;
  ASSERT_TRUE(records.ParseFromString(snapshot));
  EXPECT_EQ(HighestLevel(records), kBaseLevel);
}

// A process that ended after the snapshot was stored, and before the log behind
// it was cut: it is not done before that is.
TEST(ControllerFeatures, WhatALoweredLevelLeftInTheLogWantsAnotherSnapshot) {
  Cluster cluster;
  cluster.quorum.Elect(1);
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE), 0);
  EXPECT_EQ(cluster.CodeOf(kBaseLevel, Request::SAFE_DOWNGRADE), 0);
  const MetadataOffset offset = cluster.controller.committed()->offset();
  const SharedBytes snapshot(ToBytes(*cluster.controller.TakeSnapshot()));

  Cluster again;
  again.quorum.snapshot = offset;
  (*again.controller.ReadSnapshot(snapshot, offset))();
  EXPECT_EQ(again.controller.LevelOnDisk(), kBaseLevel);
  EXPECT_FALSE(again.controller.WantsSnapshot());
  for (const quorum::Committed& entry : cluster.quorum.log)
    again.controller.StillInLog(entry.data);
  EXPECT_EQ(again.controller.LevelOnDisk(), kFeaturesLevel);
  EXPECT_TRUE(again.controller.WantsSnapshot());
  (void)again.controller.TakeSnapshot();
  EXPECT_FALSE(again.controller.WantsSnapshot());
  EXPECT_EQ(again.controller.LevelOnDisk(), kBaseLevel);
}

TEST(ControllerFeatures, ANewControllerMustSupportTheLevelInForce) {
  Cluster cluster;
  cluster.quorum.Elect(1);
  auto add = [&](NodeId id, const FeatureRanges& said) {
    admin_v1::ChangeQuorumRequest request;
    request.set_kind(admin_v1::ChangeQuorumRequest::ADD);
    request.set_id(id);
    request.set_directory_id(TestUuid(id).ToBytes());
    request.set_host("h");
    request.set_port(9093);
    WriteFeatures(said, request.mutable_features());
    Status out;
    cluster.controller.Call(request,
                            [&](Result<admin_v1::ChangeQuorumResponse> r) {
                              out = r ? Status() : Fail(r.error());
                            });
    return out;
  };
  EXPECT_TRUE(add(4, {})) << "at the base level whoever it is";
  EXPECT_EQ(cluster.CodeOf(kFeaturesLevel, Request::UPGRADE), 0);
  const Status unknown = add(5, {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(unknown.error().message, HasSubstr("has not said"));
  cluster.quorum.said[5] = {};
  EXPECT_THAT(add(5, {}).error().message,
              HasSubstr("controller 5 supports metadata.version 1 to 1"));
  EXPECT_TRUE(add(5, SupportedFeatures()));
  cluster.quorum.said[6] = SupportedFeatures();
  EXPECT_TRUE(add(6, {})) << "it has told the leader";
  EXPECT_TRUE(add(3, {})) << "a member follows already";
}

TEST(ControllerFeaturesDeathTest, StopsWhereANewerReleaseHasWritten) {
  Cluster cluster;
  record_v1::RecordBatch batch;
  auto* feature = batch.add_records()->mutable_set_feature();
  feature->set_name(kMetadataVersion);
  feature->set_level(metadata::kNewestLevel + 1);
  const std::string data = batch.SerializeAsString();
  EXPECT_EXIT(cluster.quorum.ApplyEntry(1, data), testing::ExitedWithCode(78),
              "metadata are of a newer release");
  EXPECT_EXIT(cluster.controller.ReadSnapshot(SharedBytes(data), 9),
              testing::ExitedWithCode(78), "run the release");
}

// Bytes of a disk or a peer: no crash, and a word on what to do.
TEST(ControllerFeaturesDeathTest, StopsWhereTheLogIsNoMetadata) {
  Cluster cluster;
  const std::string data = "\xff\xff\xff";
  EXPECT_EXIT(cluster.quorum.ApplyEntry(1, data), testing::ExitedWithCode(78),
              "unreadable.*replace this controller's disk");
  // What a peer sends is refused, before it is stored.
  EXPECT_FALSE(cluster.controller.CheckEntry(data));
  EXPECT_FALSE(cluster.controller.ReadSnapshot(SharedBytes(data), 9));
  record_v1::RecordBatch orphan;
  orphan.add_records()->mutable_add_partition()->set_partition(1);
  const std::string contradicts = orphan.SerializeAsString();
  EXPECT_TRUE(cluster.controller.CheckEntry(contradicts));
  EXPECT_FALSE(cluster.controller.ReadSnapshot(SharedBytes(contradicts), 9));
}

}  // namespace
}  // namespace tidemark::controller
