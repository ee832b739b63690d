#include "tests/sim/admin/linearizable.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace tidemark::sim {
namespace {

using Kind = AdminOp::Kind;

// Those it has until all of the target are in sync (KIP-455).
std::string ReplicasTo(const std::string& target) {
  const std::string there = std::to_string(kBroker);
  return target.find(there) != std::string::npos ? target
                                                 : target + "," + there;
}

// How a topic would answer, and what it would be then.
std::pair<ErrorCode, TopicModel> Do(const TopicModel& before,
                                    const AdminOp& op) {
  TopicModel after = before;
  if (op.kind == Kind::kCreate) {
    if (before.exists) return {ErrorCode::kTopicAlreadyExists, before};
    after = {};
    after.exists = true;
    after.partitions = op.partitions;
    return {ErrorCode::kNone, after};
  }
  if (!before.exists) return {ErrorCode::kUnknownTopicOrPartition, before};
  switch (op.kind) {
    case Kind::kDelete:
      after = {};
      break;
    case Kind::kGrow:
      if (op.partitions <= before.partitions)
        return {ErrorCode::kInvalidPartitions, before};
      after.partitions = op.partitions;
      break;
    case Kind::kSet:
      after.value = op.value;
      break;
    case Kind::kMove:
      if (op.value.find(std::to_string(kNoBroker)) != std::string::npos)
        return {ErrorCode::kInvalidReplicaAssignment, before};
      after.replicas = ReplicasTo(op.value);
      break;
    case Kind::kCancel:
      if (before.replicas == TopicModel().replicas)
        return {ErrorCode::kNoReassignmentInProgress, before};
      after.replicas = TopicModel().replicas;
      break;
    default:
      break;
  }
  return {ErrorCode::kNone, after};
}

// Searches for such an order.
class Search {
 public:
  explicit Search(const std::vector<AdminOp>& history) : history_(history) {
    for (size_t i = 0; i < history.size(); ++i)
      if (history[i].ended != AdminOp::kNever) answered_ |= uint64_t{1} << i;
  }

  bool From(uint64_t done, const TopicModel& state) {
    if ((done & answered_) == answered_) return true;
    if (!seen_
             .emplace(done, state.exists, state.partitions, state.value,
                      state.replicas)
             .second)
      return false;
    // Nothing comes before what had ended when it began.
    uint64_t first_end = AdminOp::kNever;
    for (size_t i = 0; i < history_.size(); ++i)
      if (!(done >> i & 1)) first_end = std::min(first_end, history_[i].ended);
    for (size_t i = 0; i < history_.size(); ++i) {
      if (done >> i & 1 || history_[i].begun > first_end) continue;
      const auto next = After(state, history_[i]);
      if (next && From(done | uint64_t{1} << i, *next)) return true;
    }
    return false;
  }

 private:
  const std::vector<AdminOp>& history_;
  uint64_t answered_ = 0;
  std::set<std::tuple<uint64_t, bool, int, std::string, std::string>> seen_;
};

}  // namespace

std::string ToString(const AdminOp& op) {
  constexpr const char* kNames[] = {"create", "delete",     "grow",
                                    "set",    "partitions", "value",
                                    "move",   "cancel",     "replicas"};
  std::string text = kNames[static_cast<int>(op.kind)];
  text += " " + std::to_string(op.partitions) + " '" + op.value + "' from " +
          std::to_string(op.begun);
  if (op.ended == AdminOp::kNever) return text + ", unknown";
  return text + " to " + std::to_string(op.ended) + ": " +
         std::to_string(static_cast<int>(op.code));
}

std::optional<TopicModel> After(const TopicModel& before, const AdminOp& op) {
  const auto [code, after] = Do(before, op);
  if (op.ended == AdminOp::kNever) return after;
  if (op.code != code) return std::nullopt;
  if (code != ErrorCode::kNone) return after;
  if (op.kind == Kind::kPartitions && op.partitions != before.partitions)
    return std::nullopt;
  if (op.kind == Kind::kValue && op.value != before.value) return std::nullopt;
  if (op.kind == Kind::kReplicas && op.value != before.replicas)
    return std::nullopt;
  return after;
}

bool IsLinearizable(const std::vector<AdminOp>& history) {
  return Search(history).From(0, {});
}

}  // namespace tidemark::sim
