#pragma once

#include <deque>
#include <map>

#include "common/base/executor.h"
#include "controller/quorum/quorum.h"
#include "controller/service/controller.h"

namespace tidemark::controller {

// Runs tasks when told, on a clock that moves when told.
class ManualExecutor final : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  void PostAfter(Duration delay, Task task) override {
    timers_.emplace(now_ + delay, std::move(task));
  }
  Instant Now() const override { return now_; }
  int64_t WallMs() const override { return 0; }

  void RunOne() {
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
  }
  void RunReady() {
    while (!tasks_.empty()) RunOne();
  }
  void Advance(Duration by) {
    Instant end = now_ + by;
    RunReady();
    while (!timers_.empty() && timers_.begin()->first <= end) {
      now_ = timers_.begin()->first;
      Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
      RunReady();
    }
    now_ = end;
  }

 private:
  Instant now_ = Instant() + std::chrono::hours(1);
  std::deque<Task> tasks_;
  std::multimap<Instant, Task> timers_;
};

// A quorum in memory: commits at once, or when told.
class FakeQuorum : public quorum::Quorum {
 public:
  FakeQuorum(NodeId self, quorum::StateMachine* machine)
      : self_(self), machine_(machine) {}

  void Propose(std::string data,
               std::function<void(Result<MetadataOffset>)> done) override {
    if (refuse || leader_ != self_) {
      return done(Fail(ErrorCode::kNotController));
    }
    if (data.size() > quorum::kMaxEntryBytes) {
      return done(Fail(ErrorCode::kMessageTooLarge));
    }
    waiting_.push_back({++last_, std::move(data), std::move(done)});
    if (!hold) CommitAll();
  }
  void ReadIndex(std::function<void(Status)> done) override {
    done(leader_ == self_ ? Status() : Fail(ErrorCode::kNotController));
  }
  void Change(quorum::MemberChange change, Duration,
              std::function<void(Status)> done) override {
    changes.push_back(std::move(change));
    done(leader_ == self_ ? Status() : Fail(ErrorCode::kNotController));
  }
  Status Transfer(NodeId to) override {
    transfers.push_back(to);
    return leader_ == self_ ? Status() : Fail(ErrorCode::kNotController);
  }
  std::vector<quorum::MemberChange> changes;
  std::vector<NodeId> transfers;
  quorum::QuorumStatus status() const override {
    quorum::QuorumStatus out;
    out.self = self_;
    out.leader = leader_;
    out.term = term_;
    out.last = last_;
    out.committed = committed_;
    return out;
  }
  NodeId leader() const override { return leader_; }
  std::optional<quorum::Voter> FindVoter(NodeId id) const override {
    auto found = voters.find(id);
    if (found == voters.end()) return std::nullopt;
    return found->second;
  }

  void CommitOne() {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    ApplyEntry(next.offset, next.data);
    next.done(next.offset);
  }
  void FailOne(ErrorCode code) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    last_ = committed_;
    next.done(Fail(code));
  }
  void CommitAll() {
    while (!waiting_.empty()) CommitOne();
  }
  void Elect(uint64_t term) {
    leader_ = self_;
    term_ = term;
    ApplyEntry(++last_, "");
    machine_->BecomeActive(term);
  }
  // Outcome unknown to the proposers; `commit` what was on its way anyhow.
  void Depose(NodeId other, bool commit) {
    leader_ = other;
    auto waiting = std::exchange(waiting_, {});
    machine_->Resign();
    for (auto& each : waiting) each.done(Fail(quorum::kOutcomeUnknown));
    if (!commit) last_ = committed_;
    for (auto& each : waiting) {
      if (commit) ApplyEntry(each.offset, each.data);
    }
  }
  void SetLeader(NodeId leader) { leader_ = leader; }
  void ApplyEntry(MetadataOffset offset, const std::string& data) {
    quorum::Committed entry{offset, term_, data};
    log.push_back(entry);
    committed_ = offset;
    last_ = std::max(last_, offset);
    machine_->Apply({&entry, 1});
  }

  bool hold = false;
  bool refuse = false;
  std::map<NodeId, quorum::Voter> voters;
  std::vector<quorum::Committed> log;

 private:
  struct Waiting {
    MetadataOffset offset;
    std::string data;
    std::function<void(Result<MetadataOffset>)> done;
  };
  NodeId self_;
  quorum::StateMachine* machine_;
  NodeId leader_ = kNoNode;
  uint64_t term_ = 1;
  MetadataOffset last_ = 0, committed_ = 0;
  std::deque<Waiting> waiting_;
};

inline Uuid TestUuid(int n) {
  Uuid id;
  id.bytes[0] = static_cast<uint8_t>(n);
  id.bytes[1] = static_cast<uint8_t>(n >> 8);
  id.bytes[15] = 1;
  return id;
}

inline Randomness TestRandomness() {
  auto next = std::make_shared<int>(5000);
  return {[next] { return TestUuid((*next)++); },
          [](size_t bound) { return bound - 1; }};
}

inline ControllerOptions TestOptions(NodeId self = 1) {
  ControllerOptions out;
  out.self = self;
  out.settings.cluster_id = "c";
  return out;
}

inline rpc_v1::RegisterRequest RegisterOf(NodeId id, int incarnation) {
  rpc_v1::RegisterRequest r;
  r.set_cluster_id("c");
  r.set_broker_id(id);
  r.set_incarnation_id(TestUuid(incarnation).ToBytes());
  r.add_directory_ids(TestUuid(1000 + id).ToBytes());
  auto* e = r.add_endpoints();
  e->set_name("PLAINTEXT");
  e->set_host("h");
  e->set_port(9092);
  r.set_previous_broker_epoch(-1);
  return r;
}

}  // namespace tidemark::controller
