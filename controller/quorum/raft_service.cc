#include "controller/quorum/raft_service.h"

#include <glog/logging.h>
#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "common/rpc/permissions.h"
#include "controller/quorum/wire.h"
#include "proto/raft.grpc.pb.h"

namespace tidemark::quorum {
namespace {

using raft::v1::Envelope;
using raft::v1::RaftPeer;
using raft::v1::StreamEnd;

// What one stream may have on its way through the executor before it waits.
constexpr size_t kMaxPassing = 1 << 20;

class Reader;

class Service final : public RaftPeer::CallbackService, public RaftService {
 public:
  Service(Admission admission, CheckEntry check_entry, Executor& executor,
          std::weak_ptr<Inbox> inbox, rpc::SecurityPtr security)
      : admission_(std::move(admission)),
        check_entry_(std::move(check_entry)),
        executor_(executor),
        inbox_(std::move(inbox)),
        security_(std::move(security)) {}

  grpc::ServerBidiReactor<Envelope, StreamEnd>* Send(
      grpc::CallbackServerContext* context) override;
  grpc::Service& grpc() override { return *this; }
  void EndStreams() override;

  const Admission& admission() const { return admission_; }
  // What is none is not to be stored, nor may it end the process when it is
  // applied.
  Status CheckEntries(const raft::Message& message);
  using Sender = std::pair<NodeId, Uuid>;
  uint64_t Begin(const Sender& from);
  void End(const Sender& from, uint64_t stream);
  void Forget(Reader* reader);

  Executor& executor() { return executor_; }
  const std::weak_ptr<Inbox>& inbox() const { return inbox_; }
  const rpc::Security* security() const { return security_.get(); }

 private:
  const Admission admission_;
  const CheckEntry check_entry_;
  Executor& executor_;
  const std::weak_ptr<Inbox> inbox_;
  const rpc::SecurityPtr security_;
  std::mutex mutex_;
  std::map<Sender, std::set<uint64_t>> streams_;  // open ones, numbered
  uint64_t next_stream_ = 1;
  uint64_t refusals_ = 0;
  std::map<Reader*, std::weak_ptr<Reader>> readers_;
};

// One incoming stream. It reads on while messages are on their way through the
// executor, unless too much is; then whoever takes the last of it there reads
// on. Reads, the executor and the end of the service meet at the mutex.
class Reader final : public grpc::ServerBidiReactor<Envelope, StreamEnd>,
                     public std::enable_shared_from_this<Reader> {
 public:
  Reader(Service& service, const grpc::CallbackServerContext& context)
      : service_(service) {
    if (service.security() != nullptr)
      sender_ = service.security()->CallerOf(*context.auth_context());
  }

  // Keeps itself alive until gRPC's OnDone.
  void Begin() {
    self_ = shared_from_this();
    std::lock_guard lock(mutex_);
    if (!closed_) StartRead(&envelope_);
  }
  void Close(grpc::Status status) {
    std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    if (stream_ != 0) service_.End({from_, directory_}, stream_);
    Finish(std::move(status));
  }
  // Not the sender's doing: it is as alive as before.
  void CloseQuietly() {
    std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    Finish({grpc::StatusCode::UNAVAILABLE, "shutting down"});
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close(grpc::Status::OK);
    if (from_ == kNoNode) return TakeHello();
    if (!envelope_.has_message() || envelope_.message().from() != from_)
      return Close({grpc::StatusCode::INVALID_ARGUMENT,
                    "raft stream: not a message of its sender"});
    auto message = Decode(std::move(*envelope_.mutable_message()));
    if (!message)
      return Close(
          {grpc::StatusCode::INVALID_ARGUMENT, message.error().message});
    if (Status entries = service_.CheckEntries(*message); !entries)
      return Close(
          {grpc::StatusCode::INVALID_ARGUMENT, entries.error().message});
    message->from_directory = directory_;
    message->to_directory = to_directory_;
    Pass(std::move(*message));
    ReadOn();
  }
  void OnDone() override {
    service_.Forget(this);
    auto last = std::move(self_);
  }

 private:
  // The right to act while something is with the executor. An executor that
  // stops destroys the task instead of running it: the stream ends.
  class Turn {
   public:
    explicit Turn(std::shared_ptr<Reader> reader)
        : reader_(std::move(reader)) {}
    ~Turn() {
      if (reader_ != nullptr)
        reader_->Close({grpc::StatusCode::UNAVAILABLE, "shutting down"});
    }
    std::shared_ptr<Reader> Take() { return std::exchange(reader_, nullptr); }

   private:
    std::shared_ptr<Reader> reader_;
  };

  static size_t BytesOf(const raft::Message& message) {
    size_t bytes = sizeof message + message.snapshot.data.size();
    for (const raft::Entry& entry : message.entries)
      bytes += sizeof entry + entry.data.size();
    return bytes;
  }

  void ReadOn() {
    std::lock_guard lock(mutex_);
    waits_ = passing_ > kMaxPassing;
    if (!waits_ && !closed_) StartRead(&envelope_);
  }
  // So much less is on its way through the executor.
  void Passed(size_t bytes) {
    std::lock_guard lock(mutex_);
    passing_ -= bytes;
    if (passing_ > kMaxPassing || !std::exchange(waits_, false)) return;
    if (!closed_) StartRead(&envelope_);
  }

  // Whether the certificate is of the controller that the hello is from.
  Status CheckSender() const {
    if (service_.security() == nullptr || !envelope_.has_hello()) return {};
    return rpc::CheckHolder(sender_, "RaftPeer/Send", envelope_.hello().from());
  }

  void TakeHello() {
    if (Status may = CheckSender(); !may)
      return Close({kAnothersCertificate, may.error().message});
    if (service_.admission().IsLeftBehind(envelope_.hello()))
      return Close({kLeftBehind,
                    "the quorum was recovered without this controller. Never "
                    "start it again on this directory: format a new one, and "
                    "add it (docs/operations.md)"});
    const std::string why = envelope_.has_hello()
                                ? service_.admission().Refuse(envelope_.hello())
                                : "raft stream: no hello";
    if (!why.empty())
      return Close({grpc::StatusCode::FAILED_PRECONDITION, why});
    const raft::v1::Hello& hello = envelope_.hello();
    from_ = hello.from();
    directory_ = *Uuid::FromBytes(hello.directory_id());
    to_directory_ = Uuid::FromBytes(hello.to_directory_id()).value_or(Uuid());
    auto turn = std::make_shared<Turn>(shared_from_this());
    service_.executor().Post([turn, weak = service_.inbox(), hello] {
      auto inbox = weak.lock();
      if (!inbox) return;
      inbox->Meet(hello, [turn](Status status) {
        if (auto reader = turn->Take()) reader->Met(status);
      });
    });
  }

  void Met(const Status& status) {
    if (!status)
      return Close({grpc::StatusCode::FAILED_PRECONDITION,
                    "raft stream: " + status.error().message});
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
      stream_ = service_.Begin({from_, directory_});
      StartSendInitialMetadata();
      StartRead(&envelope_);
    }
  }

  void Pass(raft::Message message) {
    const size_t bytes = BytesOf(message);
    {
      std::lock_guard lock(mutex_);
      passing_ += bytes;
    }
    auto turn = std::make_shared<Turn>(shared_from_this());
    auto passed = std::make_shared<raft::Message>(std::move(message));
    service_.executor().Post([turn, passed, bytes, weak = service_.inbox()] {
      auto inbox = weak.lock();
      if (!inbox) return;
      inbox->Receive(std::move(*passed));
      turn->Take()->Passed(bytes);
    });
  }

  Service& service_;
  std::shared_ptr<Reader> self_;
  Envelope envelope_;
  tls::Holder sender_;  // of the stream, by certificate
  NodeId from_ = kNoNode;
  Uuid directory_, to_directory_;
  std::mutex mutex_;  // reads and writes that start, against Close
  bool closed_ = false;
  size_t passing_ = 0;   // bytes on their way through the executor
  bool waits_ = false;   // to read on, for less of them
  uint64_t stream_ = 0;  // once it was met
};

grpc::ServerBidiReactor<Envelope, StreamEnd>* Service::Send(
    grpc::CallbackServerContext* context) {
  auto reader = std::make_shared<Reader>(*this, *context);
  {
    std::lock_guard lock(mutex_);
    readers_.emplace(reader.get(), reader);
  }
  reader->Begin();
  return reader.get();
}

Status Service::CheckEntries(const raft::Message& message) {
  for (const raft::Entry& entry : message.entries) {
    if (entry.members || entry.data.size() == 0) continue;
    Status status = check_entry_(entry.data.view());
    if (status) continue;
    constexpr uint64_t kTold = 10;
    std::lock_guard lock(mutex_);
    LOG_IF(WARNING, ++refusals_ <= kTold)
        << "refused entry " << entry.index << " of controller " << message.from
        << ": " << status.error().message;
    return status;
  }
  return {};
}

void Service::EndStreams() {
  std::vector<std::shared_ptr<Reader>> readers;
  {
    std::lock_guard lock(mutex_);
    for (auto& [unused, weak] : readers_)
      if (auto reader = weak.lock()) readers.push_back(std::move(reader));
  }
  for (const auto& reader : readers) reader->CloseQuietly();
}

void Service::Forget(Reader* reader) {
  std::lock_guard lock(mutex_);
  readers_.erase(reader);
}

uint64_t Service::Begin(const Sender& from) {
  executor_.Post([weak = inbox_, from] {
    if (auto inbox = weak.lock()) inbox->StreamBegan(from.first, from.second);
  });
  std::lock_guard lock(mutex_);
  streams_[from].insert(next_stream_);
  return next_stream_++;
}

void Service::End(const Sender& from, uint64_t stream) {
  {
    std::lock_guard lock(mutex_);
    auto open = streams_.find(from);
    if (open == streams_.end()) return;
    // A newer stream has taken over: nothing is lost.
    const bool newest = *open->second.rbegin() == stream;
    open->second.erase(stream);
    if (open->second.empty()) streams_.erase(open);
    if (!newest) return;
  }
  executor_.Post([weak = inbox_, from] {
    if (auto inbox = weak.lock()) inbox->StreamEnded(from.first, from.second);
  });
}

}  // namespace

std::unique_ptr<RaftService> MakeRaftService(Admission admission,
                                             CheckEntry check_entry,
                                             Executor& executor,
                                             std::weak_ptr<Inbox> inbox,
                                             rpc::SecurityPtr security) {
  return std::make_unique<Service>(std::move(admission), std::move(check_entry),
                                   executor, std::move(inbox),
                                   std::move(security));
}

}  // namespace tidemark::quorum
