#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/uuid.h"

namespace tidemark::raft {

// One controller of a quorum. It is named by its id and the id of the
// directory that holds its log and its votes: on another disk it is somebody
// else, who has promised nothing.
struct Member {
  NodeId id = kNoNode;
  Uuid directory;     // zero: not agreed yet, any directory fits
  bool votes = true;  // false: a learner gets everything and counts for nothing
  std::string host;   // of its gRPC listener; the core does not look at it
  uint16_t port = 0;

  // Whether (id, directory) may speak for this member.
  bool Is(const Uuid& other) const {
    return directory.IsZero() || directory == other;
  }
  bool operator==(const Member&) const = default;
};

inline constexpr size_t kMaxMembers = 64;
inline constexpr size_t kMaxHostBytes = 255;

// Who forms the quorum: a configuration, as an entry of the log carries it.
class Members {
 public:
  static Members OfVoters(const std::set<NodeId>& ids);

  const std::map<NodeId, Member>& all() const { return all_; }
  // nullptr: not a member.
  const Member* Find(NodeId id) const;
  bool IsVoter(NodeId id) const;
  bool IsVoter(NodeId id, const Uuid& directory) const;
  std::set<NodeId> Voters() const;
  // Every voter's directory is known to all: the quorum is (id, directory).
  bool IsAgreed() const;

  void Put(Member member) { all_[member.id] = std::move(member); }
  void Remove(NodeId id) { all_.erase(id); }

  bool operator==(const Members&) const = default;

 private:
  std::map<NodeId, Member> all_;
};

using MembersPtr = std::shared_ptr<const Members>;

// Well-formed by itself: somebody votes, nobody is named twice by a directory,
// bounds kept. kInvalidRequest.
Status Validate(const Members& members);
// Whether `to` may follow `from`: at most one voter comes or goes, so that any
// majorities of the two share a voter (R-17, thesis 4.1); and nobody changes
// the disk under an id, except that one not agreed on becomes known.
// kInvalidRequest.
Status CheckStep(const Members& from, const Members& to);

// For wire and disk. Decode refuses (kInvalidRequest) what Validate would.
std::string Encode(const Members& members);
Result<MembersPtr> DecodeMembers(std::string_view bytes);

// "1 2 3 learner=4".
std::string ToString(const Members& members);

// Which configuration is in force after which entry of a log. The newest one
// is, committed or not (thesis 4.1); it goes when its entry goes.
class MembersHistory {
 public:
  // `members` (nullptr: none known) are in force after entry `index`.
  MembersHistory(uint64_t index, MembersPtr members) {
    Reset(index, std::move(members));
  }

  const MembersPtr& current() const { return known_.back().members; }
  // Of the entry that brought current(), or where the log begins.
  uint64_t index() const { return known_.back().index; }
  // REQUIRES: at or after what was last compacted to.
  const MembersPtr& At(uint64_t index) const;
  // Whether it votes in one of those in force at `index` or later.
  bool VotesSince(uint64_t index, NodeId id, const Uuid& directory) const;

  void Add(uint64_t index, MembersPtr members) {
    known_.push_back({index, std::move(members)});
  }
  void TruncateFrom(uint64_t index);
  void CompactTo(uint64_t index);
  void Reset(uint64_t index, MembersPtr members) {
    known_.assign(1, {index, std::move(members)});
  }

 private:
  struct Known {
    uint64_t index;
    MembersPtr members;
  };
  std::deque<Known> known_;  // never empty, indexes ascend
};

}  // namespace tidemark::raft
