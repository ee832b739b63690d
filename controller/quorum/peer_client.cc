#include "controller/quorum/peer_client.h"

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <utility>

#include "common/rpc/channel.h"
#include "controller/quorum/wire.h"
#include "proto/raft.grpc.pb.h"

namespace tidemark::quorum {
namespace {

using raft::v1::Envelope;
using raft::v1::RaftPeer;
using raft::v1::StreamEnd;

constexpr int64_t kMinPauseMs = 50;
constexpr int64_t kMaxPauseMs = 500;
constexpr int kKeepAliveMs = 1000;
constexpr Outbox::Limits kConnected{.messages = 4096, .bytes = 32 << 20};
// While there is no stream only the newest messages are worth keeping.
constexpr Outbox::Limits kUnconnected{.messages = 64, .bytes = 32 << 20};
constexpr auto kDeadAfter = std::chrono::seconds(2);

std::shared_ptr<grpc::Channel> MakeChannel(const Voter& peer,
                                           const rpc::Security* security) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kMinPauseMs);
  // Also the longest a connection attempt may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kMaxPauseMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxPauseMs);
  // A connection may be dead in this direction alone, while the peer is heard
  // on its own.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepAliveMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A new channel must mean a new connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  std::string host = peer.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return grpc::CreateCustomChannel(
      host + ":" + std::to_string(peer.port),
      rpc::CredentialsTo(security, peer.host, peer.id), arguments);
}

}  // namespace

// What waits to be sent: filled by the executor, emptied by gRPC's threads.
struct PeerClient::Waiting {
  mutable std::mutex mutex;
  Outbox outbox;
};

// The gRPC side: lives until gRPC is done with it, on gRPC's threads.
class PeerClient::Stream final
    : public grpc::ClientBidiReactor<Envelope, StreamEnd>,
      public std::enable_shared_from_this<Stream> {
 public:
  Stream(std::weak_ptr<PeerClient> owner, Executor& executor, const Voter& peer,
         std::shared_ptr<Waiting> waiting, const rpc::Security* security)
      : owner_(std::move(owner)),
        executor_(executor),
        waiting_(std::move(waiting)),
        stub_(RaftPeer::NewStub(MakeChannel(peer, security))) {}

  void Start(Envelope hello) {
    self_ = shared_from_this();
    envelope_ = std::move(hello);
    stub_->async()->Send(&context_, this);
    // Writes start from another thread than gRPC's: the hold keeps OnDone
    // away until no more will come.
    AddHold();
    StartRead(&nothing_);
    StartWrite(&envelope_);
    StartCall();
  }

  // The hello was taken: what waits may go.
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    WriteNextLocked();
  }
  // Something has come to wait.
  void WriteNext() {
    std::lock_guard lock(mutex_);
    WriteNextLocked();
  }

  void Cancel() { context_.TryCancel(); }
  void WaitUntilDone() { done_.get_future().wait(); }

  void OnReadInitialMetadataDone(bool ok) override {
    if (!ok) return;
    executor_.Post([owner = owner_, self = shared_from_this()] {
      if (auto peer = owner.lock()) peer->OnEstablished(self.get());
    });
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return;  // and the stream ends
    std::lock_guard lock(mutex_);
    writing_ = false;
    WriteNextLocked();
  }
  void OnReadDone(bool ok) override {
    if (ok) return StartRead(&nothing_);
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    RemoveHold();
  }
  void OnDone(const grpc::Status& status) override {
    End how = End::kBroken;
    if (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION ||
        status.error_code() == kAnothersCertificate)
      how = End::kRefused;
    if (status.error_code() == kLeftBehind) how = End::kLeftBehind;
    executor_.Post([owner = owner_, self = self_.get(), keep = self_, how,
                    error = status.error_message()] {
      if (auto peer = owner.lock()) peer->OnEnded(self, error, how);
    });
    done_.set_value();
    self_.reset();
  }

 private:
  void WriteNextLocked() {
    if (closed_ || writing_ || !open_) return;
    {
      std::lock_guard lock(waiting_->mutex);
      auto next = waiting_->outbox.Pop();
      if (!next) return;
      envelope_ = std::move(*next);
    }
    writing_ = true;
    StartWrite(&envelope_);
  }

  const std::weak_ptr<PeerClient> owner_;
  Executor& executor_;
  const std::shared_ptr<Waiting> waiting_;
  std::unique_ptr<RaftPeer::Stub> stub_;
  grpc::ClientContext context_;
  Envelope envelope_;
  StreamEnd nothing_;
  std::mutex mutex_;     // the writes that begin, against the end
  bool open_ = false;    // see Open
  bool writing_ = true;  // the hello, at first
  bool closed_ = false;
  std::promise<void> done_;
  std::shared_ptr<Stream> self_;  // until OnDone
};

PeerClient::PeerClient(Executor& executor, Voter peer, raft::v1::Hello hello,
                       LeftBehind left_behind, rpc::SecurityPtr security)
    : executor_(executor),
      peer_(std::move(peer)),
      hello_(std::move(hello)),
      left_behind_(std::move(left_behind)),
      security_(std::move(security)),
      pause_ms_(kMinPauseMs),
      waiting_(std::make_shared<Waiting>()) {}

PeerClient::~PeerClient() {
  if (!stream_) return;
  stream_->Cancel();
  stream_->WaitUntilDone();
}

void PeerClient::Connect() {
  if (stream_) return;
  stream_ = std::make_shared<Stream>(weak_from_this(), executor_, peer_,
                                     waiting_, security_.get());
  Envelope hello;
  *hello.mutable_hello() = hello_;
  stream_->Start(std::move(hello));
}

void PeerClient::Send(const raft::Message& message) {
  Envelope envelope;
  *envelope.mutable_message() = Encode(message);
  {
    std::lock_guard lock(waiting_->mutex);
    waiting_->outbox.Push(std::move(envelope),
                          established_ ? kConnected : kUnconnected,
                          !established_);
  }
  if (unanswered_since_ == Instant{}) unanswered_since_ = executor_.Now();
  if (stream_) stream_->WriteNext();
}

uint64_t PeerClient::dropped() const {
  std::lock_guard lock(waiting_->mutex);
  return waiting_->outbox.dropped();
}

void PeerClient::OnEstablished(const Stream* stream) {
  if (stream != stream_.get()) return;
  established_ = true;
  refused_ = false;
  unverified_.clear();
  pause_ms_ = kMinPauseMs;
  unanswered_since_ = {};
  stream_->Open();
}

void PeerClient::OnEnded(const Stream* stream, const std::string& error,
                         End how) {
  if (stream != stream_.get()) return;
  const std::string who = "controller " + std::to_string(peer_.id) + " at " +
                          peer_.host + ":" + std::to_string(peer_.port);
  if (how == End::kLeftBehind) left_behind_(who + " says: " + error);
  stream_.reset();
  established_ = false;
  unanswered_since_ = {};
  if (how == End::kRefused && !std::exchange(refused_, true))
    LOG(WARNING) << who << " refuses this one: " << error;
  if (const std::string why = rpc::FailedHandshake(error);
      !why.empty() && std::exchange(unverified_, why) != why)
    LOG(WARNING) << who << " cannot be spoken to by TLS: " << why;
  if (std::exchange(pausing_, true)) return;
  executor_.PostAfter(std::chrono::milliseconds(pause_ms_),
                      [weak = weak_from_this()] {
                        auto self = weak.lock();
                        if (!self) return;
                        self->pausing_ = false;
                        self->Connect();
                      });
  pause_ms_ = std::min(pause_ms_ * 2, kMaxPauseMs);
}

void PeerClient::Tick() {
  if (!stream_ || unanswered_since_ == Instant{}) return;
  if (executor_.Now() - unanswered_since_ < kDeadAfter) return;
  unanswered_since_ = {};
  stream_->Cancel();
}

}  // namespace tidemark::quorum
