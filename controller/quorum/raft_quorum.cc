#include "controller/quorum/raft_quorum.h"

#include <glog/logging.h>

#include <set>
#include <utility>

#include "controller/quorum/node.h"
#include "controller/quorum/peer_client.h"
#include "controller/quorum/raft_service.h"
#include "controller/quorum/stop.h"
#include "controller/quorum/storage_thread.h"

namespace tidemark::quorum {
namespace {

class Process final : public RaftQuorum {
 public:
  Process(Options options, Executor& executor, StateMachine& machine,
          std::unique_ptr<storage::RaftStorage> storage, Found found,
          std::set<Uuid> left_behind)
      : meta_(storage->meta()),
        disk_(std::move(storage), options.directory, executor,
              found.snapshot.data.size()),
        security_(options.security),
        transport_(executor, StopForGood, security_),
        node_(std::make_unique<Node>(
            std::move(options), meta_,
            Node::World{executor, disk_.background(), disk_, transport_,
                        [](const std::string& why) { LOG(FATAL) << why; }},
            machine, std::move(found))) {
    service_ = MakeRaftService(
        {meta_.cluster_id, meta_.node_id, meta_.directory_id,
         std::move(left_behind)},
        [&machine](std::string_view data) { return machine.CheckEntry(data); },
        executor, node_->inbox(), security_);
  }

  void Start() override { node_->Start(); }
  void HandOver(Duration limit, std::function<void()> done) override {
    node_->HandOver(limit, std::move(done));
  }
  void EndStreams() override { service_->EndStreams(); }
  grpc::Service& service() override { return service_->grpc(); }
  const io::MetaProperties& meta() const override { return meta_; }

  void Propose(std::string data,
               std::function<void(Result<MetadataOffset>)> done) override {
    node_->Propose(std::move(data), std::move(done));
  }
  void ReadIndex(std::function<void(Status)> done) override {
    node_->ReadIndex(std::move(done));
  }
  void Change(MemberChange change, Duration limit,
              std::function<void(Status)> done) override {
    node_->Change(std::move(change), limit, std::move(done));
  }
  Status Transfer(NodeId to) override { return node_->Transfer(to); }
  QuorumStatus status() const override { return node_->status(); }
  MetadataOffset last() const override { return node_->last(); }
  NodeId leader() const override { return node_->leader(); }
  std::optional<Voter> FindVoter(NodeId id) const override {
    return node_->FindVoter(id);
  }
  std::optional<FeatureRanges> FeaturesOf(
      const raft::Member& member) const override {
    return node_->FeaturesOf(member);
  }

 private:
  const io::MetaProperties meta_;
  StorageThread disk_;
  const rpc::SecurityPtr security_;
  GrpcTransport transport_;
  std::unique_ptr<RaftService> service_;  // outlives what it passes on to
  std::unique_ptr<Node> node_;
};

}  // namespace

Result<std::unique_ptr<RaftQuorum>> RaftQuorum::Open(Options options,
                                                     Executor& executor,
                                                     StateMachine& machine) {
  TM_RETURN_IF_ERROR(CheckOptions(options));
  TM_ASSIGN_OR_RETURN(auto storage,
                      storage::RaftStorage::Open(
                          options.directory, options.cluster_id, options.self));
  Found found;
  TM_ASSIGN_OR_RETURN(found.stored, storage->Load());
  TM_ASSIGN_OR_RETURN(found.snapshot, storage->LoadSnapshot());
  TM_ASSIGN_OR_RETURN(found.directories, storage->LoadPeers());
  TM_ASSIGN_OR_RETURN(auto left_behind, storage->LoadLeftBehind());
  return std::make_unique<Process>(std::move(options), executor, machine,
                                   std::move(storage), std::move(found),
                                   std::move(left_behind));
}

}  // namespace tidemark::quorum
