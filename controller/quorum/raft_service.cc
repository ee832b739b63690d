#include "controller/quorum/raft_service.h"

#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <utility>

#include "controller/quorum/wire.h"
#include "proto/raft.grpc.pb.h"

namespace tidemark::quorum {
namespace {

using raft::v1::Envelope;
using raft::v1::RaftPeer;
using raft::v1::StreamEnd;

class RaftService final : public RaftPeer::CallbackService {
 public:
  RaftService(Admission admission, Executor& executor,
              std::weak_ptr<Inbox> inbox)
      : admission_(std::move(admission)),
        executor_(executor),
        inbox_(std::move(inbox)) {}

  grpc::ServerBidiReactor<Envelope, StreamEnd>* Send(
      grpc::CallbackServerContext* context) override;

  // Empty: welcome.
  std::string Refuse(const raft::v1::Hello& hello) const;
  uint64_t Begin(NodeId from);
  void End(NodeId from, uint64_t stream);

  Executor& executor() { return executor_; }
  const std::weak_ptr<Inbox>& inbox() const { return inbox_; }

 private:
  const Admission admission_;
  Executor& executor_;
  const std::weak_ptr<Inbox> inbox_;
  std::mutex mutex_;
  std::map<NodeId, uint64_t> streams_;  // newest stream by sender
};

// One incoming stream. It has exactly one right to act at a time: the
// outstanding read, or the message on its way through the executor; who holds
// it reads on or finishes.
class Reader final : public grpc::ServerBidiReactor<Envelope, StreamEnd> {
 public:
  explicit Reader(RaftService& service) : service_(service) {
    StartRead(&envelope_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close(grpc::Status::OK);
    if (from_ == kNoNode) return TakeHello();
    if (!envelope_.has_message() || envelope_.message().from() != from_)
      return Close({grpc::StatusCode::INVALID_ARGUMENT,
                    "raft stream: not a message of its sender"});
    Pass(Decode(std::move(*envelope_.mutable_message())));
  }
  void OnDone() override { delete this; }

 private:
  // The right to act while a message is with the executor. An executor that
  // stops destroys the task instead of running it: the stream ends.
  class Turn {
   public:
    explicit Turn(Reader* reader) : reader_(reader) {}
    ~Turn() {
      if (reader_ != nullptr)
        reader_->Close({grpc::StatusCode::UNAVAILABLE, "shutting down"});
    }
    void Continue() {
      Reader* reader = std::exchange(reader_, nullptr);
      reader->StartRead(&reader->envelope_);
    }

   private:
    Reader* reader_;
  };

  void TakeHello() {
    const std::string why = envelope_.has_hello()
                                ? service_.Refuse(envelope_.hello())
                                : "raft stream: no hello";
    if (!why.empty())
      return Close({grpc::StatusCode::FAILED_PRECONDITION, why});
    from_ = envelope_.hello().from();
    stream_ = service_.Begin(from_);
    StartSendInitialMetadata();
    StartRead(&envelope_);
  }

  void Pass(raft::Message message) {
    auto turn = std::make_shared<Turn>(this);
    auto passed = std::make_shared<raft::Message>(std::move(message));
    service_.executor().Post([turn, passed, weak = service_.inbox()] {
      auto inbox = weak.lock();
      if (!inbox) return;
      inbox->Receive(std::move(*passed));
      turn->Continue();
    });
  }

  void Close(grpc::Status status) {
    if (from_ != kNoNode) service_.End(from_, stream_);
    Finish(std::move(status));
  }

  RaftService& service_;
  Envelope envelope_;
  NodeId from_ = kNoNode;
  uint64_t stream_ = 0;
};

grpc::ServerBidiReactor<Envelope, StreamEnd>* RaftService::Send(
    grpc::CallbackServerContext*) {
  return new Reader(*this);
}

std::string RaftService::Refuse(const raft::v1::Hello& hello) const {
  if (hello.cluster_id() != admission_.cluster_id)
    return "raft stream: this is cluster " + admission_.cluster_id;
  if (hello.to() != admission_.self)
    return "raft stream: this is controller " + std::to_string(admission_.self);
  if (hello.from() == admission_.self ||
      !admission_.voters.contains(hello.from()))
    return "raft stream: the sender is not one of the other voters";
  return "";
}

uint64_t RaftService::Begin(NodeId from) {
  executor_.Post([weak = inbox_, from] {
    if (auto inbox = weak.lock()) inbox->StreamBegan(from);
  });
  std::lock_guard lock(mutex_);
  return ++streams_[from];
}

void RaftService::End(NodeId from, uint64_t stream) {
  {
    std::lock_guard lock(mutex_);
    // A newer stream has taken over: nothing is lost.
    if (streams_[from] != stream) return;
  }
  executor_.Post([weak = inbox_, from] {
    if (auto inbox = weak.lock()) inbox->StreamEnded(from);
  });
}

}  // namespace

std::unique_ptr<grpc::Service> MakeRaftService(Admission admission,
                                               Executor& executor,
                                               std::weak_ptr<Inbox> inbox) {
  return std::make_unique<RaftService>(std::move(admission), executor,
                                       std::move(inbox));
}

}  // namespace tidemark::quorum
