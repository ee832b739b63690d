#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "controller/raft/types.h"

namespace tidemark::raft {

// A node's log in memory: the entries after `base`, and how far they are
// committed, applied, handed to the storage, and durable.
//
//   base <= applied <= committed <= last,  durable <= handed <= last
//
// applied <= durable, except right after a snapshot was installed.
class Log {
 public:
  // `otherwise`: the configuration while `stored` has none.
  explicit Log(Stored stored, MembersPtr otherwise = nullptr);

  LogPosition base() const { return base_; }
  LogIndex first() const { return base_.index + 1; }
  LogIndex last_index() const { return base_.index + entries_.size(); }
  LogPosition last() const;
  // nullopt: compacted away or not there yet.
  std::optional<Term> TermAt(LogIndex index) const;
  bool Holds(LogPosition position) const {
    return TermAt(position.index) == position.term;
  }
  // Whether a voter with this log may vote for a candidate whose log ends at
  // `candidate`.
  bool MayVoteFor(LogPosition candidate) const;
  // REQUIRES: first() <= index <= last_index().
  const Entry& At(LogIndex index) const {
    return entries_[index - base_.index - 1];
  }
  // Entries of [from, to]: at least one if there is one, then while they fit
  // in `max_bytes`. REQUIRES: from >= first(), to <= last_index().
  std::vector<Entry> Slice(LogIndex from, LogIndex to, size_t max_bytes) const;

  // The largest index at or below `index` whose term is at most `term`; where
  // a log that has `term` at `index` can agree with this one. 0 at worst.
  LogPosition ConflictHint(LogIndex index, Term term) const;

  // Leader: adds one entry at the end.
  void Append(Term term, SharedBytes data, MembersPtr members = nullptr);
  // Follower: entries that follow `prev`, which this log holds. Drops own
  // entries only from the first real conflict on. False, and nothing
  // changed: the conflict lies below the commit index.
  bool Merge(const std::vector<Entry>& entries);

  LogIndex committed() const { return committed_; }
  LogIndex applied() const { return applied_; }
  LogIndex durable() const { return durable_; }
  // REQUIRES: index <= last_index(). Smaller than committed(): no effect.
  void CommitTo(LogIndex index);
  // The next committed and durable entries; they count as applied.
  std::vector<Entry> TakeCommitted(size_t max_bytes);

  // The entries up to `to` that are not yet handed to the storage; they count
  // as handed. REQUIRES: to <= last_index().
  std::vector<Entry> TakeUnwritten(LogIndex to);
  // A write of everything handed so far begins; it ends in order. A later
  // truncation takes back what a write in flight will have made durable: its
  // entries may be gone or others at their index by the time it ends.
  void BeginWrite(uint64_t id);
  void EndWrite(uint64_t id);
  bool writing() const { return !writes_.empty(); }

  // The configuration in force, the newest in the log; nullptr: none known.
  const MembersPtr& members() const { return members_.current(); }
  // Of its entry, or where the log begins.
  LogIndex members_index() const { return members_.index(); }
  // In force after entry `index`. REQUIRES: index >= the newest snapshot's.
  const MembersPtr& MembersAt(LogIndex index) const {
    return members_.At(index);
  }

  // Whether it votes in a configuration that may still be the one.
  bool MayVote(NodeId id, const Uuid& directory) const {
    return members_.VotesSince(committed_, id, directory);
  }

  // An installed snapshot replaces everything.
  void Restore(LogPosition snapshot, MembersPtr members);
  // Drops entries up to `index`. REQUIRES: index <= applied().
  void CompactTo(LogIndex index);

 private:
  void Truncate(LogIndex from);

  struct WriteInFlight {
    uint64_t id;
    LogIndex up_to;
  };
  LogPosition base_;
  std::deque<Entry> entries_;
  MembersHistory members_;
  LogIndex committed_ = 0;
  LogIndex applied_ = 0;
  LogIndex handed_ = 0;
  LogIndex durable_ = 0;
  std::deque<WriteInFlight> writes_;
};

}  // namespace tidemark::raft
