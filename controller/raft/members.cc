#include "controller/raft/members.h"

#include <algorithm>
#include <optional>

namespace tidemark::raft {
namespace {

constexpr char kFormat = 1;

tl::unexpected<Error> Refuse(const std::string& why) {
  return Fail(ErrorCode::kInvalidRequest, "quorum members: " + why);
}

void AppendNumber(std::string* to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    to->push_back(static_cast<char>(value >> (8 * i)));
}

std::optional<uint64_t> TakeNumber(std::string_view* from, size_t bytes) {
  if (from->size() < bytes) return std::nullopt;
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i)
    value |= static_cast<uint64_t>(static_cast<uint8_t>((*from)[i])) << (8 * i);
  from->remove_prefix(bytes);
  return value;
}

std::optional<std::string_view> TakeBytes(std::string_view* from, size_t size) {
  if (from->size() < size) return std::nullopt;
  const std::string_view taken = from->substr(0, size);
  from->remove_prefix(size);
  return taken;
}

std::optional<Member> TakeMember(std::string_view* from) {
  const auto id = TakeNumber(from, 4);
  const auto directory = TakeBytes(from, 16);
  const auto votes = TakeNumber(from, 1);
  const auto port = TakeNumber(from, 2);
  const auto length = TakeNumber(from, 2);
  if (!length || *votes > 1) return std::nullopt;
  const auto host = TakeBytes(from, *length);
  if (!host) return std::nullopt;
  return Member{static_cast<NodeId>(*id), *Uuid::FromBytes(*directory),
                *votes == 1, std::string(*host), static_cast<uint16_t>(*port)};
}

}  // namespace

Members Members::OfVoters(const std::set<NodeId>& ids) {
  Members members;
  for (NodeId id : ids) members.Put({.id = id});
  return members;
}

const Member* Members::Find(NodeId id) const {
  auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

bool Members::IsVoter(NodeId id) const {
  const Member* member = Find(id);
  return member != nullptr && member->votes;
}

bool Members::IsVoter(NodeId id, const Uuid& directory) const {
  const Member* member = Find(id);
  return member != nullptr && member->votes && member->Is(directory);
}

std::set<NodeId> Members::Voters() const {
  std::set<NodeId> voters;
  for (const auto& [id, member] : all_)
    if (member.votes) voters.insert(id);
  return voters;
}

bool Members::IsAgreed() const {
  return std::none_of(all_.begin(), all_.end(), [](const auto& member) {
    return member.second.directory.IsZero();
  });
}

Status Validate(const Members& members) {
  if (members.Voters().empty()) return Refuse("nobody votes");
  if (members.all().size() > kMaxMembers) return Refuse("too many");
  std::set<Uuid> directories;
  for (const auto& [id, member] : members.all()) {
    if (id < 0) return Refuse("an id below zero");
    if (member.host.size() > kMaxHostBytes) return Refuse("a host too long");
    if (!member.directory.IsZero() &&
        !directories.insert(member.directory).second)
      return Refuse("two with directory " + ToString(member.directory));
  }
  return {};
}

Status CheckStep(const Members& from, const Members& to) {
  TM_RETURN_IF_ERROR(Validate(to));
  std::set<NodeId> ids;
  for (const auto& [id, unused] : from.all()) ids.insert(id);
  for (const auto& [id, unused] : to.all()) ids.insert(id);
  int changed = 0;
  for (NodeId id : ids) {
    const Member* before = from.Find(id);
    const Member* after = to.Find(id);
    changed += from.IsVoter(id) != to.IsVoter(id);
    if (before != nullptr && after != nullptr && !before->Is(after->directory))
      return Refuse("controller " + std::to_string(id) +
                    " has another directory: remove it first");
    if (before != nullptr && after != nullptr && before->votes && !after->votes)
      return Refuse("a voter does not become a learner again: remove it");
  }
  if (changed > 1) return Refuse("more than one voter changes at a time");
  return {};
}

std::string Encode(const Members& members) {
  std::string bytes(1, kFormat);
  AppendNumber(&bytes, members.all().size(), 2);
  for (const auto& [id, member] : members.all()) {
    AppendNumber(&bytes, static_cast<uint32_t>(id), 4);
    bytes += member.directory.ToBytes();
    AppendNumber(&bytes, member.votes, 1);
    AppendNumber(&bytes, member.port, 2);
    AppendNumber(&bytes, member.host.size(), 2);
    bytes += member.host;
  }
  return bytes;
}

Result<MembersPtr> DecodeMembers(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != kFormat) return Refuse("unknown format");
  bytes.remove_prefix(1);
  const auto count = TakeNumber(&bytes, 2);
  auto members = std::make_shared<Members>();
  for (size_t i = 0; count && i < *count; ++i) {
    auto member = TakeMember(&bytes);
    if (!member) break;
    members->Put(std::move(*member));
  }
  if (!count || members->all().size() != *count || !bytes.empty())
    return Refuse("cut or garbled");
  TM_RETURN_IF_ERROR(Validate(*members));
  return members;
}

std::string ToString(const Members& members) {
  std::string text;
  for (const auto& [id, member] : members.all())
    text += (text.empty() ? "" : " ") +
            std::string(member.votes ? "" : "learner=") + std::to_string(id);
  return text;
}

const MembersPtr& MembersHistory::At(uint64_t index) const {
  auto it = std::find_if(known_.rbegin(), known_.rend(),
                         [&](const Known& k) { return k.index <= index; });
  return it == known_.rend() ? known_.front().members : it->members;
}

bool MembersHistory::VotesSince(uint64_t index, NodeId id,
                                const Uuid& directory) const {
  for (auto it = known_.rbegin(); it != known_.rend(); ++it) {
    if (it->members && it->members->IsVoter(id, directory)) return true;
    if (it->index <= index) return false;
  }
  return false;
}

void MembersHistory::TruncateFrom(uint64_t index) {
  while (known_.size() > 1 && known_.back().index >= index) known_.pop_back();
}

void MembersHistory::CompactTo(uint64_t index) {
  while (known_.size() > 1 && known_[1].index <= index) known_.pop_front();
}

}  // namespace tidemark::raft
