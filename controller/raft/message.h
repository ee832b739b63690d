#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "controller/raft/types.h"

namespace tidemark::raft {

enum class MessageType : uint8_t {
  kPreVote = 1,       // "would you vote for me in `term`?"; promises nothing
  kPreVoteReply = 2,  // granted: term of the question; refused: own term
  kVote = 3,          // candidate's last entry in (index, log_term); context:
                      // kHandedOver when the leader itself asked for it
  kVoteReply = 4,
  kAppend = 5,       // entries after (index, log_term)
  kAppendReply = 6,  // durable up to index, or reject with a hint
  kHeartbeat = 7,    // commit, and in context the newest read round
  kHeartbeatReply = 8,
  kSnapshot = 9,        // one chunk
  kSnapshotReply = 10,  // context: bytes received so far of snapshot `index`
  kTimeoutNow = 11,     // the leader hands over: ask for votes at once
};

// A piece of a snapshot, so that no message is large.
struct SnapshotChunk {
  LogPosition last;       // of the whole snapshot
  uint64_t position = 0;  // of the first byte in `data`
  SharedBytes data;
  bool is_last = false;
  MembersPtr members;  // of the snapshot
};

// What nodes say to each other. One flat struct, as on the wire: which fields
// mean something depends on `type`.
struct Message {
  MessageType type = MessageType::kHeartbeat;
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  // The disks that the two speak for. `to_directory` zero: whoever has the id.
  Uuid from_directory, to_directory;
  Term term = 0;
  LogIndex index = 0;
  Term log_term = 0;
  LogIndex commit = 0;
  bool reject = false;
  // With a rejected append: the sender of entries may skip everything above
  // (reject_hint, hint_term) (raft paper, end of 5.3).
  LogIndex reject_hint = 0;
  Term hint_term = 0;
  uint64_t context = 0;
  std::vector<Entry> entries;
  SnapshotChunk snapshot;  // kSnapshot only
};

// A vote that breaks no lease: its leader wants to go (thesis 3.10).
inline constexpr uint64_t kHandedOver = 1;

// Largest chunk ever sent, and largest accepted.
inline constexpr size_t kSnapshotChunkBytes = 256 * 1024;

// Refuses what no correct node sends: unknown type, gaps in the entries,
// terms that run backwards, oversized chunks. kInvalidRequest.
Status Validate(const Message& message);

std::string_view Name(MessageType type);
// One line for traces and golden files.
std::string ToString(const Message& message);
std::string ToString(const Entry& entry);
std::string ToString(LogPosition position);

}  // namespace tidemark::raft
