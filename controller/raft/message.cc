#include "controller/raft/message.h"

#include <limits>

namespace tidemark::raft {
namespace {

// Leaves room for additions, so that no sum of indexes overflows.
constexpr uint64_t kLargest = std::numeric_limits<uint64_t>::max() / 4;

Status Refuse(const char* why) {
  return Fail(ErrorCode::kInvalidRequest, std::string("raft message: ") + why);
}

Status ValidateEntries(const Message& m) {
  LogIndex next = m.index + 1;
  Term floor = m.log_term;
  for (const Entry& entry : m.entries) {
    if (entry.index != next++) return Refuse("entries are not dense");
    if (entry.term < floor) return Refuse("entry terms run backwards");
    if (entry.term > m.term) return Refuse("entry of a future term");
    if (entry.members && !entry.data.empty())
      return Refuse("an entry of two kinds");
    floor = entry.term;
  }
  return {};
}

Status ValidateChunk(const Message& m) {
  const SnapshotChunk& chunk = m.snapshot;
  if (chunk.data.size() > kSnapshotChunkBytes) return Refuse("chunk too large");
  if (chunk.last.index == 0 || chunk.last.index > kLargest)
    return Refuse("snapshot index out of range");
  if (chunk.last.term > m.term) return Refuse("snapshot of a future term");
  if (chunk.position > kLargest) return Refuse("position out of range");
  return {};
}

}  // namespace

Status Validate(const Message& m) {
  if (m.type < MessageType::kPreVote || m.type > MessageType::kTimeoutNow)
    return Refuse("unknown type");
  if (m.term == 0 && m.type != MessageType::kPreVoteReply)
    return Refuse("no term");
  if (m.term > kLargest || m.index > kLargest || m.reject_hint > kLargest)
    return Refuse("number out of range");
  if (!m.entries.empty() && m.type != MessageType::kAppend)
    return Refuse("entries outside an append");
  if (m.type == MessageType::kAppend) return ValidateEntries(m);
  if (m.type == MessageType::kSnapshot) return ValidateChunk(m);
  return {};
}

std::string_view Name(MessageType type) {
  switch (type) {
    case MessageType::kPreVote:
      return "PreVote";
    case MessageType::kPreVoteReply:
      return "PreVoteReply";
    case MessageType::kVote:
      return "Vote";
    case MessageType::kVoteReply:
      return "VoteReply";
    case MessageType::kAppend:
      return "Append";
    case MessageType::kAppendReply:
      return "AppendReply";
    case MessageType::kHeartbeat:
      return "Heartbeat";
    case MessageType::kHeartbeatReply:
      return "HeartbeatReply";
    case MessageType::kSnapshot:
      return "Snapshot";
    case MessageType::kSnapshotReply:
      return "SnapshotReply";
    case MessageType::kTimeoutNow:
      return "TimeoutNow";
  }
  return "Unknown";
}

std::string ToString(LogPosition p) {
  return std::to_string(p.index) + "/t" + std::to_string(p.term);
}

std::string ToString(const Entry& entry) {
  if (entry.members)
    return ToString(entry.position()) + " members{" + ToString(*entry.members) +
           "}";
  std::string text = ToString(entry.position());
  if (entry.data.empty()) return text + " noop";
  return text + " \"" + std::string(entry.data.view()) + "\"";
}

std::string ToString(const Message& m) {
  std::string text = std::to_string(m.from) + "->" + std::to_string(m.to) +
                     " " + std::string(Name(m.type)) +
                     " term=" + std::to_string(m.term);
  auto add = [&](const char* name, uint64_t value) {
    text += std::string(" ") + name + "=" + std::to_string(value);
  };
  switch (m.type) {
    case MessageType::kPreVote:
    case MessageType::kVote:
      text += " last=" + ToString(LogPosition{m.index, m.log_term});
      if (m.context == kHandedOver) text += " handed-over";
      break;
    case MessageType::kPreVoteReply:
    case MessageType::kVoteReply:
      text += m.reject ? " refused" : " granted";
      break;
    case MessageType::kAppend:
      text += " prev=" + ToString(LogPosition{m.index, m.log_term});
      add("commit", m.commit);
      if (!m.entries.empty()) {
        text += " [";
        for (size_t i = 0; i < m.entries.size(); ++i)
          text += (i ? ", " : "") + ToString(m.entries[i]);
        text += "]";
      }
      break;
    case MessageType::kAppendReply:
      add("index", m.index);
      if (m.reject)
        text += " refused hint=" +
                ToString(LogPosition{m.reject_hint, m.hint_term});
      break;
    case MessageType::kHeartbeat:
      add("commit", m.commit);
      if (m.context) add("round", m.context);
      break;
    case MessageType::kHeartbeatReply:
      if (m.context) add("round", m.context);
      break;
    case MessageType::kSnapshot:
      text += " last=" + ToString(m.snapshot.last);
      add("position", m.snapshot.position);
      add("bytes", m.snapshot.data.size());
      if (m.snapshot.is_last) text += " end";
      break;
    case MessageType::kSnapshotReply:
      add("index", m.index);
      add("received", m.context);
      break;
    case MessageType::kTimeoutNow:
      break;
  }
  return text;
}

}  // namespace tidemark::raft
