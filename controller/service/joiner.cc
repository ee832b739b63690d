#include "controller/service/joiner.h"

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <future>
#include <utility>

#include "common/rpc/channel.h"
#include "proto/admin.grpc.pb.h"

namespace tidemark::controller {
namespace {

using admin::v1::Admin;
using admin::v1::ChangeQuorumRequest;
using admin::v1::ChangeQuorumResponse;

constexpr Duration kPeriod = std::chrono::milliseconds(500);
constexpr auto kLimit = std::chrono::seconds(5);
constexpr int32_t kStepMs = 4000;

}  // namespace

class Joiner::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Options options, quorum::Quorum* quorum, Executor* executor)
      : options_(std::move(options)), quorum_(quorum), executor_(executor) {}

  void Look() {
    if (stopped_) return;
    if (options_.servers.empty() || !Wanted()) return LookAgain();
    Ask(options_.servers[next_++ % options_.servers.size()]);
  }
  // On the executor. `done` when nothing of it is under way any more.
  void Stop(std::function<void()> done) {
    stopped_ = std::move(done);
    if (flight_) return flight_->context.TryCancel();
    stopped_();
  }

 private:
  struct Flight {
    grpc::ClientContext context;
    ChangeQuorumRequest request;
    ChangeQuorumResponse response;
    std::unique_ptr<Admin::Stub> stub;
  };

  // Whether this node has to ask for something.
  bool Wanted() const {
    const quorum::QuorumStatus status = quorum_->status();
    if (status.peers.empty()) return true;
    return std::any_of(status.peers.begin(), status.peers.end(),
                       [&](const quorum::QuorumStatus::Peer& peer) {
                         return peer.voter.id == options_.self.id &&
                                peer.directory == options_.self.directory &&
                                !peer.votes && options_.votes;
                       });
  }

  void LookAgain() {
    executor_->PostAfter(kPeriod, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->Look();
    });
  }

  void Ask(const quorum::Voter& server) {
    flight_ = std::make_shared<Flight>();
    ChangeQuorumRequest& request = flight_->request;
    request.set_kind(ChangeQuorumRequest::ADD);
    request.set_id(options_.self.id);
    request.set_directory_id(options_.self.directory.ToBytes());
    request.set_host(options_.self.host);
    request.set_port(options_.self.port);
    request.set_learner(!options_.votes);
    request.set_timeout_ms(kStepMs);
    WriteFeatures(options_.features, request.mutable_features());
    flight_->context.set_deadline(std::chrono::system_clock::now() + kLimit);
    flight_->stub = Admin::NewStub(
        rpc::MakeChannel(options_.security.get(), server.host, server.port));
    flight_->stub->async()->ChangeQuorum(
        &flight_->context, &request, &flight_->response,
        [self = shared_from_this()](const grpc::Status& status) {
          self->executor_->Post([self, status] { self->Answered(status); });
        });
  }

  void Answered(const grpc::Status& status) {
    flight_.reset();
    if (stopped_) return stopped_();
    if (!status.ok() &&
        std::exchange(said_, status.error_message()) != status.error_message())
      LOG(WARNING) << "not in the quorum yet: " << status.error_message();
    LookAgain();
  }

  const Options options_;
  quorum::Quorum* const quorum_;
  Executor* const executor_;
  size_t next_ = 0;
  std::string said_;  // in the log
  std::shared_ptr<Flight> flight_;
  std::function<void()> stopped_;
};

Joiner::Joiner(Options options, quorum::Quorum* quorum, Executor* executor)
    : impl_(std::make_shared<Impl>(std::move(options), quorum, executor)) {
  executor->Post([impl = impl_] { impl->Look(); });
  executor_ = executor;
}

Joiner::~Joiner() {
  std::promise<void> done;
  executor_->Post([&] { impl_->Stop([&] { done.set_value(); }); });
  done.get_future().wait();
}

}  // namespace tidemark::controller
