#include "controller/raft/log.h"

#include <glog/logging.h>

#include <algorithm>
#include <iterator>

namespace tidemark::raft {

Log::Log(Stored stored, MembersPtr otherwise)
    : base_(stored.base),
      entries_(std::make_move_iterator(stored.entries.begin()),
               std::make_move_iterator(stored.entries.end())),
      members_(stored.snapshot.index, stored.members ? std::move(stored.members)
                                                     : std::move(otherwise)),
      committed_(stored.snapshot.index),
      applied_(stored.snapshot.index) {
  CHECK_LE(base_.index, applied_);
  LogIndex next = base_.index + 1;
  for (const Entry& entry : entries_) {
    CHECK_EQ(entry.index, next++);
    if (entry.members && entry.index > applied_)
      members_.Add(entry.index, entry.members);
  }
  CHECK_LE(applied_, last_index()) << "the log ends before the snapshot";
  handed_ = durable_ = last_index();
}

LogPosition Log::last() const {
  return entries_.empty() ? base_ : entries_.back().position();
}

std::optional<Term> Log::TermAt(LogIndex index) const {
  if (index == base_.index) return base_.term;
  if (index < base_.index || index > last_index()) return std::nullopt;
  return At(index).term;
}

bool Log::MayVoteFor(LogPosition candidate) const {
  const LogPosition own = last();
  return candidate.term > own.term ||
         (candidate.term == own.term && candidate.index >= own.index);
}

std::vector<Entry> Log::Slice(LogIndex from, LogIndex to,
                              size_t max_bytes) const {
  std::vector<Entry> slice;
  size_t bytes = 0;
  for (LogIndex index = from; index <= to; ++index) {
    const Entry& entry = At(index);
    bytes += entry.data.size();
    if (!slice.empty() && bytes > max_bytes) break;
    slice.push_back(entry);
  }
  return slice;
}

LogPosition Log::ConflictHint(LogIndex index, Term term) const {
  index = std::min(index, last_index());
  while (index > base_.index && At(index).term > term) --index;
  return {index, TermAt(index).value_or(0)};
}

void Log::Append(Term term, SharedBytes data, MembersPtr members) {
  CHECK_GE(term, last().term);
  entries_.push_back({last_index() + 1, term, std::move(data), members});
  if (members) members_.Add(last_index(), std::move(members));
}

bool Log::Merge(const std::vector<Entry>& entries) {
  auto fresh = entries.begin();
  while (fresh != entries.end() &&
         (fresh->index <= base_.index || Holds(fresh->position())))
    ++fresh;
  if (fresh == entries.end()) return true;
  if (fresh->index <= committed_) return false;
  CHECK_LE(fresh->index, last_index() + 1);
  if (fresh->index <= last_index()) Truncate(fresh->index);
  entries_.insert(entries_.end(), fresh, entries.end());
  for (; fresh != entries.end(); ++fresh)
    if (fresh->members) members_.Add(fresh->index, fresh->members);
  return true;
}

void Log::Truncate(LogIndex from) {
  CHECK_GT(from, committed_);
  entries_.resize(from - base_.index - 1);
  members_.TruncateFrom(from);
  handed_ = std::min(handed_, from - 1);
  durable_ = std::min(durable_, from - 1);
  for (WriteInFlight& write : writes_)
    write.up_to = std::min(write.up_to, from - 1);
}

void Log::CommitTo(LogIndex index) {
  CHECK_LE(index, last_index());
  committed_ = std::max(committed_, index);
}

std::vector<Entry> Log::TakeCommitted(size_t max_bytes) {
  std::vector<Entry> taken;
  const LogIndex end = std::min(committed_, durable_);
  size_t bytes = 0;
  while (applied_ < end && bytes < max_bytes) {
    taken.push_back(At(++applied_));
    bytes += taken.back().data.size();
  }
  return taken;
}

std::vector<Entry> Log::TakeUnwritten(LogIndex to) {
  if (to <= handed_) return {};
  std::vector<Entry> taken(entries_.begin() + (handed_ - base_.index),
                           entries_.begin() + (to - base_.index));
  handed_ = to;
  return taken;
}

void Log::BeginWrite(uint64_t id) { writes_.push_back({id, handed_}); }

void Log::EndWrite(uint64_t id) {
  CHECK(!writes_.empty() && writes_.front().id == id)
      << "writes end in the order they began";
  durable_ = std::max(durable_, writes_.front().up_to);
  writes_.pop_front();
}

void Log::Restore(LogPosition snapshot, MembersPtr members) {
  CHECK_GT(snapshot.index, committed_);
  entries_.clear();
  // A quorum that has agreed on no configuration yet keeps the one it has.
  if (members == nullptr) members = members_.At(base_.index);
  members_.Reset(snapshot.index, std::move(members));
  base_ = snapshot;
  committed_ = applied_ = handed_ = snapshot.index;
  // Earlier writes end with a log that the snapshot then replaces.
  durable_ = 0;
  for (WriteInFlight& write : writes_) write.up_to = 0;
}

void Log::CompactTo(LogIndex index) {
  CHECK_LE(index, applied_);
  // What is not yet durable is still to be handed out or acknowledged.
  index = std::min(index, durable_);
  if (index <= base_.index) return;
  const LogPosition base = At(index).position();
  members_.CompactTo(index);
  entries_.erase(entries_.begin(), entries_.begin() + (index - base_.index));
  base_ = base;
}

}  // namespace tidemark::raft
