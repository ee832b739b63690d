#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/cluster/history.h"

namespace tidemark::sim {

// Who reads what, and keeps up to where it has got in a group.
struct Source {
  std::string group;
  TopicPartition partition;
  auto operator<=>(const Source&) const = default;
};

// What applications do in transactions, and what may be seen of it. An attempt
// reads its source from one offset to another, writes a record for each, and
// commits the other offset, all in one transaction. Knows nothing but what
// applications, readers of what is committed and readers of groups' offsets
// tell it (KIP-98, KIP-447).
//
// - What is shown to who reads what is committed is of an attempt that somebody
//   asked to commit, and was never told to be aborted.
// - Of an attempt all is shown or nothing, in all partitions, and an attempt
//   that was told to be committed is shown.
// - What a group has committed is what such an attempt said, and does not go
//   back behind one that was told to be committed.
// - Each offset of a source in front of the committed one has been made a
// record
//   of once, and none behind it.
class TransactionHistory {
 public:
  explicit TransactionHistory(History& history) : history_(history) {}

  // Returns its id.
  int Begin(const Source& source, Offset from, Offset to);
  // Its record for an offset of its source goes to that partition.
  void Make(int attempt, Offset offset, const TopicPartition& to);
  // Before anybody is asked to.
  void AsksToCommit(int attempt);
  void ToldCommitted(int attempt);
  void ToldAborted(int attempt);

  void Shown(const TopicPartition& partition, Offset offset,
             const Written& written);
  // What is committed for certain, before a group is asked.
  Offset CommittedFloor(const Source& source) const;
  // 0: nothing.
  void ShownOffset(const Source& source, Offset floor, Offset shown);

  // When all is over and has been read, with the offsets of all sources.
  void Check(const std::map<Source, Offset>& offsets);

  // Attempts that were told to be.
  int committed() const { return committed_; }

 private:
  struct Attempt {
    Source source;
    Offset from = 0, to = 0;
    std::map<Offset, TopicPartition> made;  // by offset of its source
    std::map<Offset, Offset> shown;         // and where
    bool asks_to_commit = false;
    bool told_committed = false;
    bool told_aborted = false;
  };
  void CheckAttempt(int id, const Attempt& attempt, Offset committed);
  std::string Name(int id) const;

  History& history_;
  std::vector<Attempt> attempts_;
  // Which attempt has been shown to have done it.
  std::map<std::pair<Source, Offset>, int> done_;
  std::map<Source, Offset> floors_;
  int committed_ = 0;
};

}  // namespace tidemark::sim
