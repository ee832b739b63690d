#include "broker/coordinator/group/group.h"

#include <glog/logging.h>

#include <algorithm>

namespace tidemark::coordinator {

std::string_view StateName(GroupState state) {
  switch (state) {
    case GroupState::kEmpty:
      return "Empty";
    case GroupState::kPreparingRebalance:
      return "PreparingRebalance";
    case GroupState::kCompletingRebalance:
      return "CompletingRebalance";
    case GroupState::kStable:
      return "Stable";
  }
  return "Unknown";
}

bool Member::Supports(std::string_view protocol) const {
  return std::any_of(protocols.begin(), protocols.end(),
                     [&](const Protocol& p) { return p.name == protocol; });
}

std::string Member::MetadataFor(
    const std::optional<std::string>& protocol) const {
  for (const Protocol& p : protocols)
    if (p.name == protocol) return p.metadata;
  return {};
}

void Group::TransitionTo(GroupState next, int64_t wall_ms) {
  previous_state = state;
  state = next;
  state_timestamp_ms = wall_ms;
}

Member* Group::Find(const std::string& member_id) {
  auto it = members.find(member_id);
  return it == members.end() ? nullptr : &it->second;
}

ErrorCode Group::Validate(const std::string& member_id,
                          const std::optional<std::string>& instance_id) const {
  if (instance_id) {
    auto it = static_members.find(*instance_id);
    if (it == static_members.end()) return ErrorCode::kUnknownMemberId;
    if (it->second != member_id) return ErrorCode::kFencedInstanceId;
  }
  return members.contains(member_id) ? ErrorCode::kNone
                                     : ErrorCode::kUnknownMemberId;
}

void Group::Add(Member member) {
  if (!leader) leader = member.id;
  if (member.instance_id) static_members[*member.instance_id] = member.id;
  pending_joins.erase(member.id);
  std::string member_id = member.id;
  members.insert_or_assign(std::move(member_id), std::move(member));
}

void Group::Remove(const std::string& member_id) {
  auto it = members.find(member_id);
  CHECK(it != members.end()) << "group=" << id << " member=" << member_id;
  CHECK(!it->second.join && !it->second.sync);
  const std::string removed = it->first;
  if (it->second.instance_id) static_members.erase(*it->second.instance_id);
  pending_syncs.erase(removed);
  members.erase(it);
  if (!IsLeader(removed)) return;
  leader.reset();
  if (!members.empty()) leader = members.begin()->first;
}

Member& Group::Replace(const std::string& old_id, const std::string& new_id) {
  auto node = members.extract(old_id);
  CHECK(!node.empty()) << "group=" << id << " member=" << old_id;
  Member& member = node.mapped();
  CHECK(!member.join && !member.sync && member.instance_id);
  node.key() = new_id;
  member.id = new_id;
  static_members[*member.instance_id] = new_id;
  if (pending_syncs.erase(old_id) > 0) pending_syncs.insert(new_id);
  if (IsLeader(old_id)) leader = new_id;
  return members.insert(std::move(node)).position->second;
}

bool Group::SupportsProtocols(const std::string& type,
                              const std::vector<Protocol>& protocols) const {
  if (type.empty() || protocols.empty()) return false;
  if (members.empty()) return true;
  if (type != protocol_type) return false;
  return std::any_of(protocols.begin(), protocols.end(), [&](const auto& p) {
    return std::all_of(members.begin(), members.end(), [&](const auto& m) {
      return m.second.Supports(p.name);
    });
  });
}

std::optional<std::string> Group::SelectProtocol() const {
  std::map<std::string, int> votes;
  for (const auto& [unused, voter] : members) {
    for (const Protocol& p : voter.protocols) {
      const bool candidate =
          std::all_of(members.begin(), members.end(),
                      [&](const auto& m) { return m.second.Supports(p.name); });
      if (!candidate) continue;
      ++votes[p.name];
      break;
    }
  }
  std::optional<std::string> best;
  for (const auto& [name, count] : votes)
    if (!best || count > votes[*best]) best = name;
  return best;
}

bool Group::AllJoined() const {
  return pending_joins.empty() &&
         std::all_of(members.begin(), members.end(),
                     [](const auto& m) { return m.second.join.has_value(); });
}

int32_t Group::MaxRebalanceTimeoutMs() const {
  int32_t max = 0;
  for (const auto& [unused, m] : members)
    max = std::max(max, m.rebalance_timeout_ms);
  return max;
}

StoredGroup Group::ToStored() const {
  StoredGroup out{.protocol_type = protocol_type,
                  .generation = generation,
                  .protocol = protocol,
                  .leader = leader,
                  .state_timestamp_ms = state_timestamp_ms};
  for (const auto& [member_id, m] : members) {
    out.members.push_back({.id = member_id,
                           .instance_id = m.instance_id,
                           .client_id = m.client_id,
                           .client_host = m.client_host,
                           .rebalance_timeout_ms = m.rebalance_timeout_ms,
                           .session_timeout_ms = m.session_timeout_ms,
                           .subscription = m.MetadataFor(protocol),
                           .assignment = m.assignment});
  }
  return out;
}

bool Group::IsDisposable() const {
  return Is(GroupState::kEmpty) && !stored && offsets.empty() &&
         transactional.empty() && pending_offsets.empty() &&
         pending_joins.empty();
}

void Apply(Group& group, const GroupMetadataRecord& record) {
  group.stored = record.value;
}

void Apply(Group& group, const OffsetRecord& record) {
  if (record.value) {
    group.offsets.insert_or_assign(record.partition, *record.value);
  } else {
    group.offsets.erase(record.partition);
  }
}

void Activate(Group& group, Moment at) {
  if (!group.stored) return;
  const StoredGroup& stored = *group.stored;
  group.generation = stored.generation;
  group.protocol_type = stored.protocol_type;
  group.protocol = stored.protocol;
  for (const StoredMember& m : stored.members) {
    Member member{.id = m.id,
                  .instance_id = m.instance_id,
                  .client_id = m.client_id,
                  .client_host = m.client_host,
                  .session_timeout_ms = m.session_timeout_ms,
                  .rebalance_timeout_ms = m.rebalance_timeout_ms,
                  .protocols = {{stored.protocol.value_or(""), m.subscription}},
                  .assignment = m.assignment};
    member.session_deadline =
        at.now + std::chrono::milliseconds(m.session_timeout_ms);
    group.Add(std::move(member));
  }
  group.leader = stored.leader;
  group.state =
      group.members.empty() ? GroupState::kEmpty : GroupState::kStable;
  group.previous_state = group.state;
  group.state_timestamp_ms = stored.state_timestamp_ms;
}

}  // namespace tidemark::coordinator
