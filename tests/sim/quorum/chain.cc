#include "tests/sim/quorum/chain.h"

namespace tidemark::sim {

void Chains::Reached(NodeId id, raft::LogIndex index, uint64_t chain) {
  if (known_.size() <= index) known_.resize(index + 1);
  if (!known_[index]) known_[index] = chain;
  if (*known_[index] != chain)
    fail_("R-10: node " + std::to_string(id) + " reaches another state at " +
          std::to_string(index));
}

void Chains::Loaded(raft::LogIndex index, uint64_t chain) {
  if (index >= known_.size() || known_[index] != chain)
    fail_("R-10: snapshot " + std::to_string(index) + " holds another state");
}

void Chains::Led(NodeId id, uint64_t term) {
  auto [known, first] = leaders_.emplace(term, id);
  if (!first)
    fail_("R-01: nodes " + std::to_string(known->second) + " and " +
          std::to_string(id) + " are active in term " + std::to_string(term));
}

void ChainMachine::Apply(std::span<const quorum::Committed> entries) {
  for (const quorum::Committed& entry : entries) {
    if (static_cast<raft::LogIndex>(entry.offset) != ++applied_)
      return chains_.Failed("R-10: node " + std::to_string(id_) +
                            " applies out of order");
    last_term_ = entry.term;
    chain_ = Fold(Fold(chain_, entry.term), entry.data);
    chains_.Reached(id_, applied_, chain_);
  }
}

std::shared_ptr<const quorum::FrozenState> ChainMachine::TakeSnapshot() {
  struct Frozen final : quorum::FrozenState {
    explicit Frozen(std::string text) : text(std::move(text)) {}
    void Write(const Part& part) const override { part(text); }
    const std::string text;
  };
  return std::make_shared<Frozen>(std::to_string(applied_) + " " +
                                  std::to_string(chain_) + " " +
                                  std::string(padding_, '.'));
}

std::pair<raft::LogIndex, uint64_t> ChainMachine::Read(
    std::string_view snapshot) {
  const std::string text(snapshot.substr(0, 64));
  size_t used = 0;
  const raft::LogIndex applied = std::stoull(text, &used);
  return {applied, std::stoull(text.substr(used + 1))};
}

Result<quorum::StateMachine::Install> ChainMachine::ReadSnapshot(
    SharedBytes data, MetadataOffset offset) {
  return [this, state = Read(data.view()), offset] {
    if (active_) chains_.Failed("R-09: a leader installs a snapshot");
    std::tie(applied_, chain_) = state;
    if (applied_ != static_cast<raft::LogIndex>(offset))
      chains_.Failed("R-10: a snapshot is not of its offset");
    chains_.Loaded(applied_, chain_);
  };
}

// it has applied everything of the terms before.
void ChainMachine::BecomeActive(uint64_t term) {
  if (active_ || last_term_ != term)
    chains_.Failed("R-25: node " + std::to_string(id_) +
                   " is active before it has applied its own entry");
  active_ = true;
  chains_.Led(id_, term);
}

void ChainMachine::Resign() {
  if (!active_) chains_.Failed("a machine that is not active resigns");
  active_ = false;
}

}  // namespace tidemark::sim
