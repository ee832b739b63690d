#include "broker/coordinator/group/footprint.h"

namespace tidemark::coordinator {
namespace {

// A node of a map, and what the heap adds to an allocation.
constexpr size_t kNode = 64;
constexpr size_t kAllocation = 16;
// Wake-up times, static and late members know a member or group by its id, too.
constexpr size_t kIdsOfAMember = 4;
constexpr size_t kIdsOfAGroup = 4;

size_t Text(const std::string& text) { return text.size() + kAllocation; }
size_t Text(const std::optional<std::string>& text) {
  return text ? Text(*text) : 0;
}

size_t Bytes(const std::vector<Protocol>& protocols) {
  size_t bytes = 0;
  for (const Protocol& p : protocols) {
    bytes += sizeof(Protocol) + Text(p.name) + Text(p.metadata);
  }
  return bytes;
}

size_t PendingJoin(const std::string& member_id) {
  return kNode + sizeof(std::pair<std::string, Instant>) + Text(member_id);
}

size_t MemberBytes(const std::string& id,
                   const std::optional<std::string>& instance_id,
                   const std::string& client_id, const std::string& client_host,
                   const std::vector<Protocol>& protocols) {
  return kNode + sizeof(Member) +
         kIdsOfAMember * (Text(id) + Text(instance_id)) + Text(client_id) +
         Text(client_host) + Bytes(protocols);
}

size_t Bytes(const Member& m) {
  return MemberBytes(m.id, m.instance_id, m.client_id, m.client_host,
                     m.protocols) +
         Text(m.assignment);
}

const Member* MemberOf(const Group& group, const JoinRequest& request) {
  std::string id = request.member_id;
  if (id.empty() && request.instance_id) {
    const auto found = group.static_members.find(*request.instance_id);
    if (found != group.static_members.end()) id = found->second;
  }
  const auto it = group.members.find(id);
  return it == group.members.end() ? nullptr : &it->second;
}

size_t Above(size_t then, size_t now) { return then > now ? then - now : 0; }

}  // namespace

size_t Footprint(const Group& group) {
  size_t bytes = kNode + sizeof(Group) + kIdsOfAGroup * Text(group.id);
  for (const auto& [unused, member] : group.members) bytes += Bytes(member);
  for (const auto& [id, unused] : group.pending_joins) {
    bytes += PendingJoin(id);
  }
  return bytes;
}

size_t Footprint(const JoinRequest& request) {
  return MemberBytes(
      request.member_id.empty() ? request.new_member_id : request.member_id,
      request.instance_id, request.client_id, request.client_host,
      request.protocols);
}

size_t Footprint(const StoredGroup& stored) {
  size_t bytes = 0;
  for (const StoredMember& m : stored.members) {
    bytes += sizeof(StoredMember) + Text(m.id) + Text(m.instance_id) +
             Text(m.client_id) + Text(m.client_host) + Text(m.subscription) +
             Text(m.assignment);
  }
  return bytes;
}

size_t Footprint(const TopicPartition& partition,
                 const CommittedOffset& value) {
  return kNode + sizeof(TopicPartition) + sizeof(CommittedOffset) +
         Text(partition.topic) + Text(value.metadata);
}

size_t Footprint(const GroupRecord& record) {
  if (const auto* group = std::get_if<GroupMetadataRecord>(&record)) {
    return group->value ? Footprint(*group->value) : 0;
  }
  const auto& offset = std::get<OffsetRecord>(record);
  return offset.value ? Footprint(offset.partition, *offset.value) : 0;
}

size_t OpenFootprint(const TopicPartition& partition,
                     const CommittedOffset& value) {
  // Once by producer and once by partition, each in sets of its own.
  return Footprint(partition, value) + 2 * kNode + sizeof(TopicPartition) +
         sizeof(std::set<ProducerId>) + Text(partition.topic);
}

size_t OpenFootprint(const std::string& group_id) {
  return 4 * kNode + 2 * sizeof(std::set<std::string>) + Text(group_id);
}

size_t GrowthBy(const Group* group, const JoinRequest& request) {
  const size_t then = Footprint(request);
  if (!group) return kNode + sizeof(Group) + then;
  if (const Member* member = MemberOf(*group, request)) {
    return Above(then, Bytes(*member));
  }
  const bool may_come = request.member_id.empty() ||
                        group->pending_joins.contains(request.member_id);
  return may_come ? then : 0;
}

size_t GrowthBy(const Group& group, const SyncRequest& request) {
  // In the log's record and at the member.
  size_t then = Footprint(group.ToStored());
  for (const auto& a : request.assignments) then += 2 * Text(a.assignment);
  return Above(then, group.stored ? Footprint(*group.stored) : 0);
}

size_t GrowthBy(const Group* group, const CommitRequest& request) {
  size_t growth = group ? 0 : kNode + sizeof(Group) + Text(request.group_id);
  for (const auto& [partition, value] : request.partitions) {
    const size_t then = Footprint(partition, value);
    const auto it = group ? group->offsets.find(partition)
                          : decltype(group->offsets.end()){};
    const bool known = group && it != group->offsets.end();
    growth += known ? Above(then, Footprint(partition, it->second)) : then;
  }
  return growth;
}

size_t GrowthBy(const Group* group, const TxnCommitRequest& request) {
  size_t growth = group ? 0 : kNode + sizeof(Group) + Text(request.group_id);
  const TransactionalOffsets::Offsets* open =
      group ? group->transactional.Of(request.producer_id) : nullptr;
  if (!open) growth += OpenFootprint(request.group_id);
  for (const auto& [partition, value] : request.partitions) {
    const size_t then = OpenFootprint(partition, value);
    const auto it = open ? open->find(partition)
                         : TransactionalOffsets::Offsets::const_iterator{};
    const bool known = open && it != open->end();
    growth += known ? Above(then, OpenFootprint(partition, it->second)) : then;
  }
  return growth;
}

}  // namespace tidemark::coordinator
