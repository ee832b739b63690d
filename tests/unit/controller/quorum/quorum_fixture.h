#pragma once

// Controllers' quorums in one process: real disks, real gRPC on loopback, real
// time. Every wait is for a condition, with a long limit.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "common/io/event_loop.h"
#include "common/io/initial_voters.h"
#include "common/rpc/channel.h"
#include "controller/quorum/raft_quorum.h"

namespace tidemark::quorum {

namespace fs = std::filesystem;

// A free port below the ephemeral range.
inline uint16_t FreePort() {
  // Apart from those of another process beside this one.
  static std::atomic<uint16_t> next = 21000 + getpid() * 16 % 8000;
  while (true) {
    const uint16_t port = next++;
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free =
        ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    if (free) return port;
  }
}

// Holds threads up while it is shut.
class Gate {
 public:
  void Shut() { Set(true); }
  void Open() { Set(false); }
  void Pass() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !shut_; });
  }

 private:
  void Set(bool shut) {
    std::lock_guard lock(mutex_);
    shut_ = shut;
    wake_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  bool shut_ = false;
};

// Keeps everything applied, one line an entry.
class Recorder final : public StateMachine {
 public:
  void Apply(std::span<const Committed> entries) override {
    for (const Committed& entry : entries) {
      ASSERT_EQ(entry.offset, last + 1);
      last = entry.offset;
      std::this_thread::sleep_for(takes);
      if (!entry.data.empty()) state += entry.data + "\n";
    }
  }
  Status CheckEntry(std::string_view data) const override {
    if (data != "no entry") return {};
    return Fail(ErrorCode::kKafkaStorageError, "no entry of this machine");
  }
  Result<Install> ReadSnapshot(SharedBytes data,
                               MetadataOffset offset) override {
    reading.Pass();
    if (refuses) {
      ++refused;
      return Fail(ErrorCode::kKafkaStorageError, "no snapshot of this machine");
    }
    return [this, read = std::string(data.view()), offset] {
      state = read;
      last = offset;
      ++loads;
    };
  }
  void StillInLog(std::string_view data) override {
    still_in_log += data;
    wants_snapshot |= data == "high";
  }
  std::shared_ptr<const FrozenState> TakeSnapshot() override {
    struct Frozen final : FrozenState {
      Frozen(std::string text, Gate& gate)
          : text(std::move(text)), gate(gate) {}
      void Write(const Part& part) const override {
        const size_t half = text.size() / 2;
        part(std::string_view(text).substr(0, half));
        gate.Pass();
        part(std::string_view(text).substr(half));
      }
      const std::string text;
      Gate& gate;
    };
    wants_snapshot = false;
    return std::make_shared<Frozen>(state, writing);
  }
  bool WantsSnapshot() override { return wants_snapshot; }
  void BecomeActive(uint64_t) override {
    EXPECT_FALSE(active);
    active = true;
  }
  void Resign() override {
    EXPECT_TRUE(active);
    active = false;
  }

  std::string state, still_in_log;
  MetadataOffset last = 0;
  int loads = 0;
  bool active = false;
  bool wants_snapshot = false;
  std::chrono::microseconds takes{0};  // each entry
  Gate reading, writing;               // of snapshots
  std::atomic<bool> refuses = false;   // any of them
  std::atomic<int> refused = 0;
};

// One controller process, in miniature.
class TestNode {
 public:
  // `takes`: what an entry takes the machine; `reads`: it reads snapshots;
  // `refuses`: it takes them for none.
  explicit TestNode(Options options, std::chrono::microseconds takes = {},
                    bool reads = true, bool refuses = false)
      : options_(std::move(options)), loop_("quorum") {
    machine_.takes = takes;
    machine_.refuses = refuses;
    if (!reads) machine_.reading.Shut();
    auto opened = RaftQuorum::Open(options_, loop_, machine_);
    if (!opened) {
      error_ = ToString(opened.error());
      return;
    }
    quorum_ = std::move(*opened);
    grpc::ServerBuilder builder;
    rpc::ConfigureServer(&builder);
    uint16_t port = options_.port;
    for (const Voter& voter : options_.voters)
      if (voter.id == options_.self) port = voter.port;
    credentials_ = options_.security == nullptr
                       ? grpc::InsecureServerCredentials()
                       : options_.security->OfServer();
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), credentials_);
    builder.RegisterService(&quorum_->service());
    server_ = builder.BuildAndStart();
    Run([this] { quorum_->Start(); });
  }
  ~TestNode() {
    machine_.reading.Open();
    machine_.writing.Open();
    if (quorum_) quorum_->EndStreams();
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    if (quorum_) Run([this] { quorum_.reset(); });
  }

  template <class F>
  std::invoke_result_t<F> Run(F f) {
    std::packaged_task<std::invoke_result_t<F>()> task(std::move(f));
    auto future = task.get_future();
    loop_.Post([&task] { task(); });
    return future.get();
  }
  bool active() {
    return Run([this] { return machine_.active; });
  }
  std::string state() {
    return Run([this] { return machine_.state; });
  }
  int loads() {
    return Run([this] { return machine_.loads; });
  }
  void WantSnapshot() {
    Run([this] { machine_.wants_snapshot = true; });
  }
  std::optional<FeatureRanges> FeaturesOf(const QuorumStatus::Peer& peer) {
    const raft::Member member{.id = peer.voter.id, .directory = peer.directory};
    return Run([this, member] { return quorum_->FeaturesOf(member); });
  }
  QuorumStatus status() {
    return Run([this] { return quorum_->status(); });
  }
  Result<MetadataOffset> Propose(std::string data) {
    auto promise = std::make_shared<std::promise<Result<MetadataOffset>>>();
    auto future = promise->get_future();
    loop_.Post([this, data, promise] {
      quorum_->Propose(data, [promise](Result<MetadataOffset> result) {
        promise->set_value(std::move(result));
      });
    });
    return future.get();
  }
  // `done` comes on the quorum's thread, with whether the machine is active.
  void ProposeMany(int count, const std::string& data,
                   std::function<void(bool ok, bool active)> done) {
    Run([&] {
      for (int i = 0; i < count; ++i) {
        quorum_->Propose(data, [this, done](Result<MetadataOffset> result) {
          done(result.has_value(), machine_.active);
        });
      }
    });
  }
  Status ReadIndex() {
    auto promise = std::make_shared<std::promise<Status>>();
    auto future = promise->get_future();
    loop_.Post([this, promise] {
      quorum_->ReadIndex(
          [promise](Status status) { promise->set_value(std::move(status)); });
    });
    return future.get();
  }
  Status Change(MemberChange change,
                Duration limit = std::chrono::seconds(10)) {
    auto promise = std::make_shared<std::promise<Status>>();
    auto future = promise->get_future();
    loop_.Post([this, change, limit, promise] {
      quorum_->Change(change, limit, [promise](Status status) {
        promise->set_value(std::move(status));
      });
    });
    return future.get();
  }
  Status Transfer(NodeId to) {
    return Run([this, to] { return quorum_->Transfer(to); });
  }
  const io::MetaProperties& meta() { return quorum_->meta(); }
  void HandOver() {
    auto promise = std::make_shared<std::promise<void>>();
    auto future = promise->get_future();
    loop_.Post([this, promise] {
      quorum_->HandOver(std::chrono::seconds(10),
                        [promise] { promise->set_value(); });
    });
    future.get();
  }
  const std::string& error() const { return error_; }
  Recorder& machine() { return machine_; }

 private:
  Options options_;
  Recorder machine_;
  io::EventLoop loop_;
  std::unique_ptr<RaftQuorum> quorum_;
  std::shared_ptr<grpc::ServerCredentials> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::string error_;
};

class QuorumTest : public testing::Test {
 protected:
  QuorumTest() {
    std::string name = fs::temp_directory_path() / "quorum_test_XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  ~QuorumTest() override {
    nodes_.clear();
    fs::remove_all(directory_);
  }

  void MakeVoters(int count) {
    for (NodeId id = 1; id <= count; ++id) {
      options_.voters.push_back({id, "127.0.0.1", FreePort()});
      ASSERT_TRUE(
          io::FormatDirectory(DirectoryOf(id), "c1", id, io::Use::kMetadata));
    }
    // The disk under a test machine may be slow.
    options_.election_ticks_min = 10;
    options_.election_ticks_max = 20;
  }
  std::string DirectoryOf(NodeId id) {
    return directory_ + "/" + std::to_string(id);
  }
  void Start(NodeId id, std::chrono::microseconds takes = {},
             bool reads = true) {
    Options options = options_;
    options.self = id;
    options.directory = DirectoryOf(id);
    if (security_of_) options.security = security_of_(id);
    nodes_[id] = std::make_unique<TestNode>(options, takes, reads, refuses_);
    ASSERT_EQ(nodes_[id]->error(), "");
  }
  void StartAll() {
    for (const Voter& voter : options_.voters) Start(voter.id);
  }
  template <class F>
  bool Eventually(F condition) {
    const auto limit = std::chrono::steady_clock::now() + kLimit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > limit) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  TestNode* WaitForActive() {
    TestNode* active = nullptr;
    EXPECT_TRUE(Eventually([&] {
      for (auto& [id, node] : nodes_)
        if (node->active()) active = node.get();
      return active != nullptr;
    }));
    return active;
  }
  // Retries like a client that does not know the leader.
  void ProposeSomewhere(const std::string& data) {
    ASSERT_TRUE(Eventually([&] {
      for (auto& [id, node] : nodes_)
        if (node->active() && node->Propose(data)) return true;
      return false;
    }));
  }
  NodeId IdOf(TestNode* node) { return node->status().self; }

  // A controller of no quorum yet, on a blank disk.
  void StartJoining(NodeId id, uint16_t port) {
    Options options = options_;
    options.self = id;
    options.directory = DirectoryOf(id);
    options.voters.clear();
    options.host = "127.0.0.1";
    options.port = port;
    if (!fs::exists(options.directory)) {
      ASSERT_TRUE(
          io::FormatDirectory(options.directory, "c1", id, io::Use::kMetadata));
    }
    nodes_[id] = std::make_unique<TestNode>(options);
    ASSERT_EQ(nodes_[id]->error(), "");
  }
  // Retries like an operator's tool. The last answer.
  Status ChangeSomewhere(const MemberChange& change) {
    Status status;
    EXPECT_TRUE(Eventually([&] {
      for (auto& [id, node] : nodes_) {
        if (!node->active()) continue;
        status = node->Change(change);
        return status || (status.error().code != ErrorCode::kNotController &&
                          status.error().code != ErrorCode::kRequestTimedOut);
      }
      return false;
    }));
    return status;
  }
  MemberChange Add(NodeId id, uint16_t port) {
    return {.member = {.id = id,
                       .directory = nodes_[id]->meta().directory_id,
                       .host = "127.0.0.1",
                       .port = port}};
  }
  static MemberChange Remove(NodeId id) {
    return {.kind = MemberChange::Kind::kRemove, .member = {.id = id}};
  }
  // "1 2 -4": voters, learners with a minus; once all of them say so.
  bool AllSay(const std::string& wanted) {
    return Eventually([&] {
      for (auto& [id, node] : nodes_)
        if (MembersOf(*node) != wanted) return false;
      return true;
    });
  }
  std::string MembersOf(TestNode& node) {
    std::string text;
    for (const auto& peer : node.status().peers) {
      if (peer.directory.IsZero()) return "not agreed";
      text += (text.empty() ? "" : " ") + std::string(peer.votes ? "" : "-") +
              std::to_string(peer.voter.id);
    }
    return text;
  }

  static constexpr auto kLimit = std::chrono::seconds(30);
  std::string directory_;
  Options options_;
  std::function<rpc::SecurityPtr(NodeId)> security_of_;  // none: plaintext
  bool refuses_ = false;  // who starts from now on, all snapshots
  std::map<NodeId, std::unique_ptr<TestNode>> nodes_;
};

}  // namespace tidemark::quorum
