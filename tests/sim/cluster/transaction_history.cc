#include "tests/sim/cluster/transaction_history.h"

#include <algorithm>

namespace tidemark::sim {

namespace {

// Ids of producers below are those of others.
constexpr int kFirstId = 1000;

std::string NameOf(const Source& source) {
  return ToString(source.partition) + " of group " + source.group;
}

}  // namespace

std::string TransactionHistory::Name(int id) const {
  const Attempt& attempt = attempts_[static_cast<size_t>(id - kFirstId)];
  return "attempt " + std::to_string(id) + " (" + NameOf(attempt.source) +
         " from " + std::to_string(attempt.from) + " to " +
         std::to_string(attempt.to) + ")";
}

int TransactionHistory::Begin(const Source& source, Offset from, Offset to) {
  attempts_.push_back({source, from, to});
  const int id = kFirstId + static_cast<int>(attempts_.size()) - 1;
  history_.AddProducer(id, true);
  return id;
}

void TransactionHistory::Make(int attempt, Offset offset,
                              const TopicPartition& to) {
  attempts_[static_cast<size_t>(attempt - kFirstId)].made[offset] = to;
  history_.Made(to, {attempt, offset});
}

void TransactionHistory::AsksToCommit(int attempt) {
  attempts_[static_cast<size_t>(attempt - kFirstId)].asks_to_commit = true;
}

void TransactionHistory::ToldCommitted(int attempt) {
  Attempt& told = attempts_[static_cast<size_t>(attempt - kFirstId)];
  told.told_committed = true;
  Offset& floor = floors_[told.source];
  floor = std::max(floor, told.to);
  ++committed_;
}

void TransactionHistory::ToldAborted(int attempt) {
  attempts_[static_cast<size_t>(attempt - kFirstId)].told_aborted = true;
}

void TransactionHistory::Shown(const TopicPartition& partition, Offset offset,
                               const Written& written) {
  const std::string where =
      ToString(partition) + " at " + std::to_string(offset);
  const size_t index = static_cast<size_t>(written.producer - kFirstId);
  if (index >= attempts_.size()) {
    return history_.Fail("nobody's record is shown in " + where);
  }
  Attempt& attempt = attempts_[index];
  const std::string what = "the record for offset " +
                           std::to_string(written.number) + " by " +
                           Name(written.producer);
  const auto made = attempt.made.find(written.number);
  if (made == attempt.made.end() || made->second != partition) {
    return history_.Fail(what + " was never sent to " + where);
  }
  if (!attempt.asks_to_commit || attempt.told_aborted) {
    return history_.Fail(
        what + " is shown in " + where + ", and " +
        (attempt.told_aborted ? "was aborted" : "nobody asked to commit it"));
  }
  attempt.shown[written.number] = offset;
  const auto [it, first] = done_.emplace(
      std::pair{attempt.source, written.number}, written.producer);
  if (first || it->second == written.producer) return;
  history_.Fail("twice: " + what + " in " + where + ", and by " +
                Name(it->second));
}

Offset TransactionHistory::CommittedFloor(const Source& source) const {
  const auto it = floors_.find(source);
  return it == floors_.end() ? 0 : it->second;
}

void TransactionHistory::ShownOffset(const Source& source, Offset floor,
                                     Offset shown) {
  if (shown < floor) {
    return history_.Fail("the committed offset of " + NameOf(source) + " is " +
                         std::to_string(shown) + " behind a commit of " +
                         std::to_string(floor));
  }
  if (shown == 0) return;
  for (const Attempt& attempt : attempts_) {
    if (attempt.source == source && attempt.to == shown &&
        attempt.asks_to_commit && !attempt.told_aborted) {
      return;
    }
  }
  history_.Fail("nobody has committed offset " + std::to_string(shown) +
                " of " + NameOf(source));
}

void TransactionHistory::CheckAttempt(int id, const Attempt& attempt,
                                      Offset committed) {
  if (attempt.shown.empty() && !attempt.told_committed) return;
  for (const auto& [offset, partition] : attempt.made) {
    if (attempt.shown.contains(offset)) continue;
    return history_.Fail(
        "the record for offset " + std::to_string(offset) + " in " +
        ToString(partition) + " is missing of " + Name(id) + ", of which " +
        std::to_string(attempt.shown.size()) + " are shown" +
        (attempt.told_committed ? " and which was committed" : ""));
  }
  if (attempt.to <= committed) return;
  history_.Fail("the records of " + Name(id) +
                " are shown, but the committed offset is " +
                std::to_string(committed));
}

void TransactionHistory::Check(const std::map<Source, Offset>& offsets) {
  int id = kFirstId;
  for (const Attempt& attempt : attempts_) {
    CheckAttempt(id++, attempt, offsets.at(attempt.source));
  }
  for (const auto& [source, committed] : offsets) {
    for (Offset offset = 0; offset < committed; ++offset) {
      if (done_.contains({source, offset})) continue;
      return history_.Fail("nobody has shown a record for offset " +
                           std::to_string(offset) + " of " + NameOf(source) +
                           ", committed up to " + std::to_string(committed));
    }
  }
}

}  // namespace tidemark::sim
