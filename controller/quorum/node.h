#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/io/meta_properties.h"
#include "controller/quorum/disk.h"
#include "controller/quorum/disk_watch.h"
#include "controller/quorum/inbox.h"
#include "controller/quorum/leadership.h"
#include "controller/quorum/member_changes.h"
#include "controller/quorum/options.h"
#include "controller/quorum/peers.h"
#include "controller/quorum/proposals.h"
#include "controller/quorum/quorum.h"
#include "controller/quorum/snapshots.h"
#include "controller/quorum/transport.h"
#include "controller/raft/raft.h"

namespace tidemark::quorum {

// What a node found on its disk.
struct Found {
  raft::Stored stored;
  raft::Snapshot snapshot;
  std::map<NodeId, Uuid> directories;  // see Peers
};

// One controller's part in the quorum: drives the pure raft core
// (controller/raft) and what belongs to it, over a disk, a network and a clock.
// It is the same one in production (RaftQuorum) and in the simulator.
//
// Heartbeats never wait for the disk; what promises something does.
//
// Owner: the executor's thread, on which everything is called, and called
// back. Tasks that are under way when it is destroyed do nothing any more.
class Node final : public Quorum {
 public:
  // What surrounds it; all outlive it.
  struct World {
    Executor& executor;
    Executor& background;  // for what takes long
    Disk& disk;
    Transport& transport;
    DiskWatch::GiveUp give_up;  // the process is to end
  };

  Node(Options options, const io::MetaProperties& meta, World world,
       StateMachine& machine, Found found);
  ~Node() override;

  // As in RaftQuorum. What comes from others before is refused.
  void Start();
  void HandOver(Duration limit, std::function<void()> done);
  // For what comes from others; gone when this is.
  std::weak_ptr<Inbox> inbox() const { return self_; }
  // For checkers.
  const raft::Raft& core() const { return core_; }

  void Propose(std::string data,
               std::function<void(Result<MetadataOffset>)> done) override;
  void ReadIndex(std::function<void(Status)> done) override;
  void Change(MemberChange change, Duration limit,
              std::function<void(Status)> done) override;
  Status Transfer(NodeId to) override;
  QuorumStatus status() const override;
  MetadataOffset last() const override {
    return static_cast<MetadataOffset>(core_.log().last_index());
  }
  NodeId leader() const override { return core_.leader(); }
  std::optional<Voter> FindVoter(NodeId id) const override {
    return peers_.Find(id);
  }
  std::optional<FeatureRanges> FeaturesOf(
      const raft::Member& member) const override {
    return peers_.FeaturesOf(member);
  }

 private:
  // What tasks and streams hold weakly.
  struct Self final : Inbox {
    explicit Self(Node* node) : node(node) {}
    void Receive(raft::Message message) override {
      node->Receive(std::move(message));
    }
    void Meet(const raft::v1::Hello& hello,
              std::function<void(Status)> done) override {
      node->Meet(hello, std::move(done));
    }
    void StreamBegan(NodeId from, const Uuid& directory) override {
      node->peers_.StreamBegan(from, directory);
    }
    void StreamEnded(NodeId from, const Uuid& directory) override {
      node->StreamEnded(from, directory);
    }
    Node* node;
  };

  Peers::Save SaveDirectory();
  void FollowMembers();
  void MaybeAgree();
  void Meet(const raft::v1::Hello& hello, std::function<void(Status)> done);
  void Receive(raft::Message message);
  void StreamEnded(NodeId from, const Uuid& directory);
  void Tick(Instant due);
  void SchedulePump();
  void Pump();
  void CarryOut(raft::Ready ready);
  void Check(raft::SnapshotCheck check);
  void Install(raft::Snapshot snapshot);
  void TellWhatIsStillThere(raft::LogIndex last);
  bool MayApply() const { return !loading_ && !backlog_.empty(); }
  void ApplyBacklog();
  void Apply(const std::vector<raft::Entry>& entries);
  void OnWritten(const std::vector<raft::Write>& writes);
  void Send(const std::vector<raft::Message>& messages);
  void FetchSnapshot();
  QuorumStatus::Peer Describe(const raft::Member& member) const;

  const Options options_;
  Executor& executor_;
  Disk& disk_;
  StateMachine& machine_;
  raft::Raft core_;
  bool started_ = false;
  raft::Snapshot initial_snapshot_;  // until Start
  raft::LogPosition applied_;        // the machine has
  bool loading_ = false;             // a snapshot, in the background
  std::deque<raft::Entry> backlog_;  // committed, behind it
  Proposals proposals_;
  MemberChanges changes_;
  Leadership leadership_;
  Snapshots snapshots_;
  DiskWatch disk_watch_;
  Times commit_times_;
  uint64_t refused_messages_ = 0;
  bool pump_scheduled_ = false;
  raft::MembersPtr members_;  // what peers_ follows
  std::set<NodeId> leaving_;
  std::shared_ptr<Self> self_;
  const std::shared_ptr<Disk::Written> written_;
  Peers peers_;
};

}  // namespace tidemark::quorum
