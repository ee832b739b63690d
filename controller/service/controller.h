#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/metadata/image.h"
#include "controller/metadata/broker_decisions.h"
#include "controller/metadata/feature_decisions.h"
#include "controller/metadata/liveness.h"
#include "controller/metadata/view.h"
#include "controller/quorum/quorum.h"
#include "controller/service/broker_watch.h"
#include "controller/service/calls.h"
#include "controller/service/ledger.h"
#include "controller/service/metadata_feed.h"

namespace tidemark::controller {

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
  // What a new cluster begins with; without metadata.version the base level.
  BootstrapLevels bootstrap_levels;
  std::vector<record_v1::SetScramCredential> bootstrap_credentials;
};

// The controller: decides on requests (controller/metadata), has the quorum
// commit the decisions (Ledger), and answers when they are committed; knows who
// is alive (BrokerWatch), and tells brokers what is committed (MetadataFeed).
//
// Losing leadership answers quorum::kOutcomeUnknown to who waits for a change.
//
// Everything on one executor, the quorum's; any call on it only.
class Controller final : public quorum::StateMachine {
 public:
  // `background`: another thread, for what takes long; nullptr: there is none.
  Controller(ControllerOptions options, Executor* executor, Randomness random,
             Executor* background = nullptr);

  // Before anything else; `quorum` outlives the controller's last call.
  void Attach(quorum::Quorum* quorum);

  // quorum::StateMachine
  void Apply(std::span<const quorum::Committed> entries) override;
  Status CheckEntry(std::string_view data) const override;
  Result<Install> ReadSnapshot(SharedBytes data,
                               MetadataOffset offset) override;
  std::shared_ptr<const quorum::FrozenState> TakeSnapshot() override;
  void StillInLog(std::string_view data) override { ledger_.StillInLog(data); }
  bool WantsSnapshot() override { return ledger_.WantsSnapshot(); }
  void BecomeActive(uint64_t term) override;
  void Resign() override;
  // The process ends: answers everyone, and takes nothing new.
  void Stop();

  // A call of the table in calls.h. Failures of a request are in the response;
  // an Error means that this node could not take it, or does not know what
  // became of it.
  template <class Request>
  void Call(const Request& request, Reply<ResponseTo<Request>> reply);

  // The sink is held until FeedEnded, with the same request, or until the feed
  // closes it. A feed whose incarnation is not the registered one is served,
  // since its registration may be on its way, and is nobody's sign of life.
  Status Subscribe(const rpc_v1::SubscribeRequest& request,
                   std::shared_ptr<FeedSink> sink);
  void FeedEnded(const rpc_v1::SubscribeRequest& request, const FeedSink* sink);

  // What this controller sees of the quorum, whoever leads.
  admin_v1::DescribeQuorumResponse QuorumSeenHere() const;

  bool active() const { return active_; }
  uint64_t term() const { return term_; }
  metadata::ImagePtr committed() const { return ledger_.committed(); }
  // As Ledger.
  int16_t LevelOnDisk() const { return ledger_.LevelOnDisk(); }
  quorum::Quorum* quorum() const { return quorum_; }
  size_t feed_subscribers() const { return feed_.subscribers(); }
  // What waits to be sent to them.
  FeedQueue feed_queue() const { return feed_.Queued(); }
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
  // Fills in what is known only once the decision is committed.
  template <class Response>
  using Completion = std::function<void(Response*)>;

  // ---- Calls (calls.cc, quorum_calls.cc).
  View ViewFor(NodeId broker = kNoNode);
  template <class Request>
  void Answer(const Request& request, Decision<ResponseTo<Request>> decision,
              Reply<ResponseTo<Request>> reply);
  // A request with an id that has been answered is answered alike, and not
  // decided on.
  template <class Request>
  void DecideOnce(const Request& request, Reply<ResponseTo<Request>> reply);
  // Nothing is to change. That is true only while nobody else leads: whoever
  // has been deposed and does not know it would refuse what is not so.
  template <class Response>
  void AnswerUnchanged(Result<Response> response, Effects effects,
                       Reply<Response> reply);
  template <class Response>
  void Read(Reply<Response> reply, std::function<Response()> make);
  void Listen(const rpc_v1::HeartbeatRequest& request);
  Completion<rpc_v1::RegisterResponse> Registered(
      const rpc_v1::RegisterRequest& request);
  void CallQuorum(const admin_v1::DescribeQuorumRequest& request,
                  Reply<admin_v1::DescribeQuorumResponse> reply);
  void CallQuorum(const admin_v1::ChangeQuorumRequest& request,
                  Reply<admin_v1::ChangeQuorumResponse> reply);

  // As Ledger::Commit, for the active controller; the effects are carried out,
  // and the notes written, once it is committed.
  void Commit(Records records, Effects effects, Ledger::Done done);
  void CarryOut(const Effects& effects, MetadataOffset offset);
  Error Explain(const Error& error) const;

  // ---- Features (feature_calls.cc).
  // What all nodes have said that they support.
  FeatureFacts Features() const;
  // Proposes the levels that nobody asks for.
  void BringFeatures();
  // That a controller to be added supports the cluster's features.
  Status CheckAdded(const admin_v1::ChangeQuorumRequest& request,
                    const raft::Member& member) const;

  void Tick(uint64_t generation);
  void FenceLost();
  void FenceMoreSoon();
  void RunPeriodic(Instant now);
  Records DecidePeriodic(Instant now);

  const ControllerOptions options_;
  Executor* const executor_;
  const Randomness random_;
  quorum::Quorum* quorum_ = nullptr;

  bool active_ = false;
  bool stopping_ = false;
  uint64_t term_ = 0;
  uint64_t generation_ = 0;  // of activity; stale timers end

  Ledger ledger_;
  BrokerWatch watch_;
  std::optional<Fencing> fencing_;  // that is not complete
  bool fence_posted_ = false;       // its next turn
  MetadataFeed feed_;
  Instant next_keep_alive_{}, next_balance_{}, next_unclean_{}, last_commit_{};
  Counters counters_;
};

}  // namespace tidemark::controller
