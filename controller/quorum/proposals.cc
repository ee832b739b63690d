#include "controller/quorum/proposals.h"

#include <utility>

namespace tidemark::quorum {
namespace {

constexpr char kUnknown[] =
    "this controller lost leadership; whether the change was made is unknown";
constexpr char kOvertaken[] =
    "this controller lost leadership; the change was not made";
constexpr char kLost[] = "this controller lost leadership";

}  // namespace

void Proposals::Add(raft::LogPosition position, Proposed done) {
  proposals_.emplace(position.index, Waiting{position.term, std::move(done)});
}

void Proposals::Applied(const raft::Entry& entry) {
  while (!proposals_.empty() && proposals_.begin()->first <= entry.index) {
    auto node = proposals_.extract(proposals_.begin());
    if (node.key() == entry.index && node.mapped().term == entry.term) {
      node.mapped().done(static_cast<MetadataOffset>(entry.index));
    } else {
      node.mapped().done(Fail(ErrorCode::kNotController, kOvertaken));
    }
  }
}

uint64_t Proposals::AddRead(Read done) {
  reads_.emplace(next_context_, std::move(done));
  return next_context_++;
}

void Proposals::Confirmed(const raft::ReadState& read) {
  auto node = reads_.extract(read.context);
  if (!node.empty()) confirmed_.emplace(read.index, std::move(node.mapped()));
}

void Proposals::AppliedTo(raft::LogIndex applied) {
  while (!confirmed_.empty() && confirmed_.begin()->first <= applied) {
    auto node = confirmed_.extract(confirmed_.begin());
    node.mapped()({});
  }
}

void Proposals::FailAll() {
  // Callbacks may add new ones.
  auto proposals = std::exchange(proposals_, {});
  auto reads = std::exchange(reads_, {});
  auto confirmed = std::exchange(confirmed_, {});
  for (auto& [index, waiting] : proposals)
    waiting.done(Fail(kOutcomeUnknown, kUnknown));
  for (auto& [context, done] : reads)
    done(Fail(ErrorCode::kNotController, kLost));
  for (auto& [index, done] : confirmed)
    done(Fail(ErrorCode::kNotController, kLost));
}

}  // namespace tidemark::quorum
