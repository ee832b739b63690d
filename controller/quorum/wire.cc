#include "controller/quorum/wire.h"

#include <utility>

namespace tidemark::quorum {
namespace {

SharedBytes TakeBytes(std::string* bytes) {
  return bytes->empty() ? SharedBytes() : SharedBytes(std::move(*bytes));
}

Result<raft::MembersPtr> TakeMembers(const std::string& bytes) {
  if (bytes.empty()) return nullptr;
  return raft::DecodeMembers(bytes);
}

}  // namespace

raft::v1::Message Encode(const raft::Message& m) {
  raft::v1::Message wire;
  wire.set_type(static_cast<uint32_t>(m.type));
  wire.set_from(m.from);
  wire.set_to(m.to);
  wire.set_term(m.term);
  wire.set_log_term(m.log_term);
  wire.set_index(m.index);
  wire.set_commit(m.commit);
  wire.set_reject(m.reject);
  wire.set_reject_hint(m.reject_hint);
  wire.set_hint_term(m.hint_term);
  wire.set_context(m.context);
  for (const raft::Entry& entry : m.entries) {
    auto* to = wire.add_entries();
    to->set_index(entry.index);
    to->set_term(entry.term);
    to->set_data(entry.data.data(), entry.data.size());
    if (entry.members) to->set_members(raft::Encode(*entry.members));
  }
  if (m.type == raft::MessageType::kSnapshot) {
    auto* to = wire.mutable_snapshot();
    to->set_index(m.snapshot.last.index);
    to->set_term(m.snapshot.last.term);
    to->set_position(m.snapshot.position);
    to->set_data(m.snapshot.data.data(), m.snapshot.data.size());
    to->set_last(m.snapshot.is_last);
    if (m.snapshot.members) to->set_members(raft::Encode(*m.snapshot.members));
  }
  return wire;
}

Result<raft::Message> Decode(raft::v1::Message&& wire) {
  raft::Message m;
  // 0 is no type; so is everything a byte cannot hold.
  m.type = static_cast<raft::MessageType>(wire.type() > 255 ? 0 : wire.type());
  m.from = wire.from();
  m.to = wire.to();
  m.term = wire.term();
  m.log_term = wire.log_term();
  m.index = wire.index();
  m.commit = wire.commit();
  m.reject = wire.reject();
  m.reject_hint = wire.reject_hint();
  m.hint_term = wire.hint_term();
  m.context = wire.context();
  m.entries.reserve(wire.entries_size());
  for (auto& entry : *wire.mutable_entries()) {
    m.entries.push_back(
        {entry.index(), entry.term(), TakeBytes(entry.mutable_data())});
    TM_ASSIGN_OR_RETURN(m.entries.back().members, TakeMembers(entry.members()));
  }
  if (wire.has_snapshot()) {
    auto* from = wire.mutable_snapshot();
    m.snapshot = {{from->index(), from->term()},
                  from->position(),
                  TakeBytes(from->mutable_data()),
                  from->last()};
    TM_ASSIGN_OR_RETURN(m.snapshot.members, TakeMembers(from->members()));
  }
  return m;
}

}  // namespace tidemark::quorum
