#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/quorum/quorum.h"
#include "controller/raft/types.h"
#include "tests/sim/quorum/timeline.h"

namespace tidemark::sim {

// What all state machines of a run agree on: the state after each entry, and
// who led.
class Chains {
 public:
  using Fail = std::function<void(const std::string&)>;
  explicit Chains(Fail fail) : fail_(std::move(fail)) {}

  // Node `id` reaches `chain` at `index`.
  void Reached(NodeId id, raft::LogIndex index, uint64_t chain);
  // A snapshot says so.
  void Loaded(raft::LogIndex index, uint64_t chain);
  void Led(NodeId id, uint64_t term);

  void Failed(const std::string& what) { fail_(what); }
  size_t terms() const { return leaders_.size(); }

 private:
  const Fail fail_;
  std::vector<std::optional<uint64_t>> known_;  // by index
  std::map<uint64_t, NodeId> leaders_;          // by term, as machines heard it
};

// A state machine: how many entries it has applied, and a chain over them.
class ChainMachine final : public quorum::StateMachine {
 public:
  // `padding`: bytes that its snapshots are longer by.
  ChainMachine(NodeId id, Chains& chains, size_t padding)
      : id_(id), chains_(chains), padding_(padding) {}

  void Apply(std::span<const quorum::Committed> entries) override;
  Result<Install> ReadSnapshot(SharedBytes data,
                               MetadataOffset offset) override;
  std::shared_ptr<const quorum::FrozenState> TakeSnapshot() override;
  void BecomeActive(uint64_t term) override;
  void Resign() override;

  raft::LogIndex applied() const { return applied_; }
  bool active() const { return active_; }

  // What a snapshot says: applied, chain.
  static std::pair<raft::LogIndex, uint64_t> Read(std::string_view snapshot);

 private:
  const NodeId id_;
  Chains& chains_;
  const size_t padding_;
  raft::LogIndex applied_ = 0;
  uint64_t chain_ = kFoldStart;
  uint64_t last_term_ = 0;
  bool active_ = false;
};

}  // namespace tidemark::sim
