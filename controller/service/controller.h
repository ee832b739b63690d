#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/metadata/image.h"
#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/feature_decisions.h"
#include "controller/metadata/liveness.h"
#include "controller/metadata/partition_decisions.h"
#include "controller/metadata/topic_decisions.h"
#include "controller/quorum/quorum.h"
#include "controller/service/metadata_feed.h"

namespace tidemark::controller {

template <class Response>
using Reply = std::function<void(Result<Response>)>;

struct ControllerOptions {
  NodeId self = kNoNode;
  Settings settings;
  Liveness::Options liveness;
  bool balance_leaders = true;
  Duration balance_interval = std::chrono::seconds(300);
  Duration unclean_interval = std::chrono::seconds(10);
  // Commits move at least this often (and with them what readers know).
  Duration max_idle = std::chrono::seconds(60);
  Duration keep_alive = std::chrono::milliseconds(500);
  // metadata.version that a new cluster begins with. 0: the base level.
  int16_t bootstrap_level = 0;
};

// The level of metadata.version that all of a batch needs.
int16_t HighestLevel(const record_v1::RecordBatch& batch);

// The controller: decides on requests, has the quorum commit the decisions,
// and answers when they are committed.
//
// Two images: `committed` is what the log says, and all that anyone outside
// is told; `pending` adds what this node has proposed, so that a decision
// never contradicts one still on its way. Losing leadership makes pending
// committed again and answers quorum::kOutcomeUnknown to who waits for a
// change. A committed entry that does not apply ends the process, on every
// controller alike (KAFKA-14275).
//
// Everything on one executor, the quorum's; any call on it only.
class Controller final : public quorum::StateMachine {
 public:
  Controller(ControllerOptions options, Executor* executor, Randomness random);

  // Before anything else; `quorum` outlives the controller's last call.
  void Attach(quorum::Quorum* quorum) { quorum_ = quorum; }

  // quorum::StateMachine
  void Apply(std::span<const quorum::Committed> entries) override;
  std::function<void()> ReadSnapshot(SharedBytes data,
                                     MetadataOffset offset) override;
  std::shared_ptr<const quorum::FrozenState> TakeSnapshot() override;
  // The log has records that the cluster's level does not allow any more: a
  // release that does not know them cannot read it before a snapshot.
  bool WantsSnapshot() override;
  // The level of metadata.version that a release must support to start from
  // this controller's disk.
  int16_t LevelOnDisk() const;
  void BecomeActive(uint64_t term) override;
  void Resign() override;
  // The process ends: answers everyone, and takes nothing new.
  void Stop();

  // Of brokers. Failures of a request are in the response; an Error means
  // that this node could not take it.
  void Register(const rpc_v1::RegisterRequest& request,
                Reply<rpc_v1::RegisterResponse> reply);
  void Heartbeat(const rpc_v1::HeartbeatRequest& request,
                 Reply<rpc_v1::HeartbeatResponse> reply);
  void AlterPartition(const rpc_v1::AlterPartitionRequest& request,
                      Reply<rpc_v1::AlterPartitionResponse> reply);
  void AssignReplicas(const rpc_v1::AssignReplicasRequest& request,
                      Reply<rpc_v1::AssignReplicasResponse> reply);
  void AllocateProducerIds(const rpc_v1::AllocateProducerIdsRequest& request,
                           Reply<rpc_v1::AllocateProducerIdsResponse> reply);
  // The sink is held until FeedEnded, with the same request, or until the feed
  // closes it. A feed whose incarnation is not the registered one is served,
  // since its registration may be on its way, and is nobody's sign of life.
  Status Subscribe(const rpc_v1::SubscribeRequest& request,
                   std::shared_ptr<FeedSink> sink);
  void FeedEnded(const rpc_v1::SubscribeRequest& request, const FeedSink* sink);

  // Of operators.
  void CreateTopics(const admin_v1::CreateTopicsRequest& request,
                    Reply<admin_v1::CreateTopicsResponse> reply);
  void DeleteTopics(const admin_v1::DeleteTopicsRequest& request,
                    Reply<admin_v1::DeleteTopicsResponse> reply);
  void CreatePartitions(const admin_v1::CreatePartitionsRequest& request,
                        Reply<admin_v1::CreatePartitionsResponse> reply);
  void AlterConfigs(const admin_v1::AlterConfigsRequest& request,
                    Reply<admin_v1::AlterConfigsResponse> reply);
  void ElectLeaders(const admin_v1::ElectLeadersRequest& request,
                    Reply<admin_v1::ElectLeadersResponse> reply);
  void UnregisterBroker(const admin_v1::UnregisterBrokerRequest& request,
                        Reply<admin_v1::UnregisterBrokerResponse> reply);
  void DescribeTopics(const admin_v1::DescribeTopicsRequest& request,
                      Reply<admin_v1::DescribeTopicsResponse> reply);
  void DescribeConfigs(const admin_v1::DescribeConfigsRequest& request,
                       Reply<admin_v1::DescribeConfigsResponse> reply);
  void DescribeCluster(const admin_v1::DescribeClusterRequest& request,
                       Reply<admin_v1::DescribeClusterResponse> reply);
  void DescribeQuorum(const admin_v1::DescribeQuorumRequest& request,
                      Reply<admin_v1::DescribeQuorumResponse> reply);
  // What this controller sees of it, whoever leads.
  admin_v1::DescribeQuorumResponse QuorumSeenHere() const;
  void ChangeQuorum(const admin_v1::ChangeQuorumRequest& request,
                    Reply<admin_v1::ChangeQuorumResponse> reply);
  void DescribeFeatures(const admin_v1::DescribeFeaturesRequest& request,
                        Reply<admin_v1::DescribeFeaturesResponse> reply);
  void UpdateFeatures(const admin_v1::UpdateFeaturesRequest& request,
                      Reply<admin_v1::UpdateFeaturesResponse> reply);

  bool active() const { return active_; }
  uint64_t term() const { return term_; }
  metadata::ImagePtr committed() const { return committed_; }
  quorum::Quorum* quorum() const { return quorum_; }
  size_t feed_subscribers() const { return feed_.subscribers(); }
  // "this is not the active controller", with where it is, if known.
  Error NotActive() const;
  // It has stopped to be, amid a change.
  Error OutcomeUnknown() const;

  struct Counters {
    uint64_t became_active = 0;
    uint64_t fenced_lost = 0;  // brokers fenced because they were lost
    uint64_t unclean_elections = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  using Done = std::function<void(Result<MetadataOffset>)>;
  struct InFlight {
    uint64_t id;
    MetadataOffset offset;  // expected
    std::string data;
    metadata::ImagePtr image;  // after it
    int16_t level;             // that its records need
    std::vector<Done> done;
  };

  // Proposes, in order, and calls `done` when all is committed. Without
  // records: when all that is on its way is, since the decision saw it.
  // kNotController: nothing has changed and will. quorum::kOutcomeUnknown.
  void Commit(Records records, Done done);
  void Propose(InFlight entry);
  void ProposalFailed(uint64_t generation, uint64_t id, const Error& error);
  void FailInFlight();
  std::vector<Done> ApplyOne(const quorum::Committed& entry);
  void RebuildPending();
  template <class Response>
  void Answer(Decision<Response> decision, Reply<Response> reply);
  // What an operator asks for, once: a request with an id that has been
  // answered is answered alike, and `decide` is not called. Its failure
  // changes nothing.
  template <class Request, class Response, class Decide>
  void AnswerOnce(const Request& request, Reply<Response> reply,
                  const Decide& decide);
  template <class Response>
  void Read(Reply<Response> reply, std::function<Response()> make);

  // What all nodes have said that they support.
  FeatureFacts Facts() const;
  std::optional<FeatureRanges> SaidBy(const BrokerImage& broker) const;
  // Proposes the levels that nobody asks for.
  void BringFeatures();
  // That a controller to be added supports the cluster's features.
  Status CheckAdded(const admin_v1::ChangeQuorumRequest& request,
                    const raft::Member& member) const;

  void Tick(uint64_t generation);
  void FenceLost();
  void RunPeriodic(Instant now);
  // For operators, once it is committed: what a decision costs or leaves
  // without a leader.
  //
  // `done`, which also tells of the unclean elections among the records once
  // they are committed (F26).
  Done AndNoteUnclean(const Records& records, Done done);
  void LogOffline(const Records& records) const;
  // What a registration loses; "" for nothing.
  std::string LostBy(const rpc_v1::RegisterRequest& request) const;
  // A registration of it is proposed and not yet committed: its epoch may
  // still turn out otherwise, so nothing is decided about it.
  bool BeingRegistered(NodeId broker) const;

  const ControllerOptions options_;
  Executor* const executor_;
  const Randomness random_;
  quorum::Quorum* quorum_ = nullptr;

  metadata::ImagePtr committed_, pending_;
  std::deque<InFlight> in_flight_;
  bool active_ = false;
  bool stopping_ = false;
  // A proposal failed while this node leads: no more until the rest is known.
  bool draining_ = false;
  uint64_t term_ = 0;
  uint64_t generation_ = 0;  // of activity; stale timers and callbacks end
  uint64_t next_id_ = 0;
  uint64_t failures_ = 0;  // proposals that failed

  // Of applied records; metadata::kBaseLevel when a snapshot is taken. What
  // that snapshot covers is on disk until it is stored.
  int16_t level_since_snapshot_ = metadata::kBaseLevel;
  int16_t level_under_snapshot_ = metadata::kBaseLevel;
  MetadataOffset snapshot_taken_at_ = 0;
  struct Said {
    Uuid incarnation;
    FeatureRanges features;
  };
  std::map<NodeId, Said> said_;  // by brokers, to this active controller

  Liveness liveness_;
  MetadataFeed feed_;
  Instant next_keep_alive_{}, next_balance_{}, next_unclean_{}, last_commit_{};
  Counters counters_;
};

}  // namespace tidemark::controller
