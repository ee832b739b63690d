#include "broker/coordinator/group/group_table.h"

#include <glog/logging.h>
#include <strings.h>

#include <algorithm>

#include "broker/coordinator/group/footprint.h"
#include "broker/coordinator/group/join.h"
#include "broker/coordinator/group/leave.h"
#include "broker/coordinator/group/offsets.h"
#include "broker/coordinator/group/sync.h"
#include "broker/coordinator/group/timers.h"

namespace tidemark::coordinator {
namespace {

constexpr const char* kClassicType = "classic";
// Commits that let nothing grow are refused at the bound of memory only when as
// much as this waits for the replicas of their partition.
constexpr size_t kWritesAlwaysTaken = 1 << 20;

bool Matches(const std::vector<std::string>& wanted, std::string_view value) {
  return wanted.empty() ||
         std::any_of(wanted.begin(), wanted.end(), [&](const std::string& w) {
           return w.size() == value.size() &&
                  strncasecmp(w.data(), value.data(), value.size()) == 0;
         });
}

// What the fact that a record is about takes as things stand.
struct Sizes {
  size_t in_snapshot = 0;
  size_t in_memory = 0;
};
Sizes SizesOf(const Group& group, const GroupMetadataRecord&) {
  if (!group.stored) return {};
  return {EncodedBytes(group.id, *group.stored), Footprint(*group.stored)};
}
Sizes SizesOf(const Group& group, const OffsetRecord& record) {
  const auto it = group.offsets.find(record.partition);
  if (it == group.offsets.end()) return {};
  return {EncodedBytes(group.id, it->first, it->second),
          Footprint(it->first, it->second)};
}

void CountDown(std::map<TopicPartition, int>& counts,
               const TopicPartition& partition) {
  const auto it = counts.find(partition);
  CHECK(it != counts.end()) << ToString(partition);
  if (--it->second == 0) counts.erase(it);
}

size_t FootprintOf(const std::vector<GroupRecord>& records) {
  size_t bytes = 0;
  for (const GroupRecord& record : records) bytes += Footprint(record);
  return bytes;
}

template <class Result>
Decision Refuse(Ticket ticket, ErrorCode error) {
  Decision out;
  Result result;
  result.Fail(error);
  out.Reply(ticket, std::move(result));
  return out;
}

}  // namespace

const std::string& GroupIdOf(const GroupRecord& record) {
  return std::visit(
      [](const auto& r) -> const std::string& { return r.group_id; }, record);
}

Group* GroupTable::Find(const std::string& group_id) {
  auto it = groups_.find(group_id);
  return it == groups_.end() ? nullptr : &it->second;
}

const Group* GroupTable::Find(const std::string& group_id) const {
  auto it = groups_.find(group_id);
  return it == groups_.end() ? nullptr : &it->second;
}

Decision GroupTable::Decide(const JoinRequest& request,
                            const Context& context) {
  const auto& [ticket, at] = context;
  Step step = NewStep(at);
  const auto refuse = [&](ErrorCode error) {
    step.out.Reply(ticket,
                   JoinResult{.error = error, .member_id = request.member_id});
    return std::move(step.out);
  };
  if (request.group_id.empty()) return refuse(ErrorCode::kInvalidGroupId);
  if (request.session_timeout_ms < config_.group_min_session_timeout_ms ||
      request.session_timeout_ms > config_.group_max_session_timeout_ms) {
    return refuse(ErrorCode::kInvalidSessionTimeout);
  }
  const Group* known = Find(request.group_id);
  if (!known && !request.member_id.empty())
    return refuse(ErrorCode::kUnknownMemberId);
  // An error at which clients come again after a pause.
  if (!share_.Admit(GrowthBy(known, request)))
    return refuse(ErrorCode::kCoordinatorLoadInProgress);
  Group& group =
      groups_.try_emplace(request.group_id, request.group_id).first->second;
  coordinator::Join(group, request, ticket, step);
  return Finish(request.group_id, std::move(step));
}

Decision GroupTable::Decide(const SyncRequest& request,
                            const Context& context) {
  const auto& [ticket, at] = context;
  Group* group = Find(request.group_id);
  if (!group) return Refuse<SyncResult>(ticket, ErrorCode::kUnknownMemberId);
  const bool has_room = request.assignments.empty() ||
                        !group->IsLeader(request.member_id) ||
                        share_.Admit(GrowthBy(*group, request));
  Step step = NewStep(at);
  coordinator::Sync(*group, request, has_room, ticket, step);
  return Finish(request.group_id, std::move(step));
}

Decision GroupTable::Decide(const HeartbeatRequest& request,
                            const Context& context) {
  const auto& [ticket, at] = context;
  Group* group = Find(request.group_id);
  Decision out;
  out.Reply(ticket,
            HeartbeatResult{group ? coordinator::Heartbeat(*group, request, at)
                                  : ErrorCode::kUnknownMemberId});
  return out;
}

Decision GroupTable::Decide(const LeaveRequest& request,
                            const Context& context) {
  const auto& [ticket, at] = context;
  Step step = NewStep(at);
  Group* group = Find(request.group_id);
  // Kafka's: of the request, not of its members.
  if (!group) return Refuse<LeaveResult>(ticket, ErrorCode::kUnknownMemberId);
  coordinator::Leave(*group, request, ticket, step);
  return Finish(request.group_id, std::move(step));
}

Decision GroupTable::Decide(const CommitRequest& request,
                            const Context& context) {
  return DecideCommit(request, context, coordinator::Commit);
}

Decision GroupTable::Decide(const TxnCommitRequest& request,
                            const Context& context) {
  return DecideCommit(request, context, coordinator::CommitInTransaction);
}

template <class Request>
Decision GroupTable::DecideCommit(const Request& request,
                                  const Context& context,
                                  void (*commit)(Group&, const Request&, Ticket,
                                                 Step&)) {
  const auto& [ticket, at] = context;
  if (request.group_id.empty())
    return Refuse<CommitResult>(ticket, ErrorCode::kInvalidGroupId);
  if (!Find(request.group_id) && request.generation >= 0)
    return Refuse<CommitResult>(ticket, ErrorCode::kIllegalGeneration);
  if (!HasRoomFor(request))
    return Refuse<CommitResult>(ticket, ErrorCode::kCoordinatorLoadInProgress);
  Step step = NewStep(at);
  Group& group =
      groups_.try_emplace(request.group_id, request.group_id).first->second;
  commit(group, request, ticket, step);
  return Finish(request.group_id, std::move(step));
}

Decision GroupTable::Decide(const DeleteRequest& request,
                            const Context& context) {
  const auto& [ticket, at] = context;
  const std::string& group_id = request.group_id;
  Group* group = Find(group_id);
  if (group_id.empty())
    return Refuse<DeleteResult>(ticket, ErrorCode::kInvalidGroupId);
  if (!group) return Refuse<DeleteResult>(ticket, ErrorCode::kGroupIdNotFound);
  if (!group->Is(GroupState::kEmpty))
    return Refuse<DeleteResult>(ticket, ErrorCode::kNonEmptyGroup);
  Step step = NewStep(at);
  step.out.records = DeletionRecords(*group);
  step.out.Reply(ticket, DeleteResult{});
  return Finish(group_id, std::move(step));
}

Decision GroupTable::Decide(const DeleteOffsetsRequest& request,
                            const Context& context) {
  const auto& [ticket, at] = context;
  Group* group = Find(request.group_id);
  if (request.group_id.empty()) {
    return Refuse<DeleteOffsetsResult>(ticket, ErrorCode::kInvalidGroupId);
  }
  if (group == nullptr) {
    return Refuse<DeleteOffsetsResult>(ticket, ErrorCode::kGroupIdNotFound);
  }
  Step step = NewStep(at);
  DeleteOffsets(*group, request, ticket, step);
  return Finish(request.group_id, std::move(step));
}

FetchResult GroupTable::Read(const FetchRequest& request) const {
  return FetchOffsets(Find(request.group_id), request);
}

GroupDescription GroupTable::Read(const DescribeRequest& request) const {
  const Group* group = Find(request.group_id);
  if (!group) return {.error = ErrorCode::kGroupIdNotFound};
  const bool stable = group->Is(GroupState::kStable);
  GroupDescription out{.state = std::string(StateName(group->state)),
                       .protocol_type = group->protocol_type,
                       .protocol = stable ? group->protocol.value_or("") : ""};
  for (const auto& [id, m] : group->members) {
    GroupDescription::Member member{.id = id,
                                    .instance_id = m.instance_id,
                                    .client_id = m.client_id,
                                    .client_host = m.client_host};
    if (stable) {
      member.metadata = m.MetadataFor(group->protocol);
      member.assignment = m.assignment;
    }
    out.members.push_back(std::move(member));
  }
  return out;
}

ListResult GroupTable::Read(const ListRequest& request) const {
  ListResult out;
  if (!Matches(request.types, kClassicType)) return out;
  for (const auto& [id, group] : groups_) {
    if (Matches(request.states, StateName(group.state)))
      out.groups.push_back({id, group.protocol_type,
                            std::string(StateName(group.state)), kClassicType});
  }
  return out;
}

Decision GroupTable::Settled(const Decision& decision, bool committed,
                             Moment at) {
  if (decision.records.empty()) return {};
  in_flight_ -= FootprintOf(decision.records);
  for (const GroupRecord& record : decision.records) {
    Group* group = Find(GroupIdOf(record));
    if (const auto* offset = std::get_if<OffsetRecord>(&record);
        offset && offset->value && group) {
      CountDown(group->pending_offsets, offset->partition);
      if (decision.producer) {
        CountDown(group->pending_transactional, offset->partition);
      }
    }
  }
  DisposeIfDone(GroupIdOf(decision.records.front()));
  Publish();
  if (!decision.sequel) return {};
  Group* group = Find(decision.sequel->group_id);
  if (!group) return {};
  Step step = NewStep(at);
  OnAssignmentStored(*group, decision.sequel->generation, committed, step);
  return Finish(group->id, std::move(step));
}

std::optional<Instant> GroupTable::NextDeadline() const {
  if (wakeup_order_.empty()) return next_expiry_;
  const Instant next = wakeup_order_.begin()->first;
  return next_expiry_ ? std::min(next, *next_expiry_) : next;
}

std::vector<Decision> GroupTable::OnTimer(Moment at) {
  std::vector<std::string> due;
  for (const auto& [when, id] : wakeup_order_) {
    if (when > at.now) break;
    due.push_back(id);
  }
  std::vector<Decision> out;
  for (const std::string& id : due) {
    Step step = NewStep(at);
    coordinator::OnTimer(*Find(id), step);
    out.push_back(Finish(id, std::move(step)));
  }
  if (next_expiry_ && *next_expiry_ <= at.now) {
    StartExpiryInterval(at);
    std::ranges::move(Expire(at.wall_ms), std::back_inserter(out));
  }
  return out;
}

void GroupTable::StartExpiryInterval(Moment at) {
  next_expiry_ =
      at.now + MillisecondsOf(config_.offsets_retention_check_interval_ms);
}

std::vector<Decision> GroupTable::Expire(int64_t wall_ms) const {
  std::vector<Decision> out;
  for (const auto& [unused, group] : groups_) {
    Decision decision{.records = ExpiredRecords(group, config_, wall_ms)};
    if (!decision.records.empty()) out.push_back(std::move(decision));
  }
  return out;
}

std::vector<Decision> GroupTable::OnImage(const ImageDelta& delta) const {
  std::vector<Decision> out;
  for (const auto& [unused, group] : groups_) {
    Decision decision{
        .records = TombstonesIf(group, [&](const TopicPartition& partition) {
          return delta.deleted_topics.contains(partition.topic);
        })};
    if (!decision.records.empty()) out.push_back(std::move(decision));
  }
  return out;
}

void GroupTable::Clear() {
  groups_.clear();
  open_ = {};
  wakeups_.clear();
  wakeup_order_.clear();
  live_bytes_ = 0;
  soft_ = replicated_ = in_flight_ = 0;
  Publish();
  next_expiry_.reset();
}

void GroupTable::Apply(const GroupRecord& record, const RecordMeta& meta) {
  const std::string& id = GroupIdOf(record);
  const bool tombstone =
      std::visit([](const auto& r) { return !r.value; }, record);
  if (tombstone && !Find(id)) return;
  const auto* offset = std::get_if<OffsetRecord>(&record);
  if (offset && !tombstone && meta.transactional) {
    Pend(*offset, meta);
  } else {
    Group& group = FindOrAdd(id);
    std::visit([&](const auto& r) { Store(group, r); }, record);
    if (offset && tombstone) DropOpen(group, offset->partition);
    if (offset && !tombstone) {
      group.offsets.at(offset->partition).written_at = meta.offset;
    }
    if (tombstone) DisposeIfDone(id);
  }
  Publish();
}

void GroupTable::Settle(Group& group, const TopicPartition& partition,
                        CommittedOffset value) {
  const auto there = group.offsets.find(partition);
  if (there != group.offsets.end() &&
      there->second.written_at > value.written_at) {
    return;
  }
  Store(group, OffsetRecord{group.id, partition, std::move(value)});
}

void GroupTable::ApplyMarker(const Marker& marker) {
  const ProducerId producer = marker.meta.producer_id;
  for (const std::string& id : open_.End(producer)) {
    Group& group = *Find(id);
    replicated_ -= group.transactional.footprint();
    auto offsets = group.transactional.Take(producer);
    replicated_ += group.transactional.footprint();
    if (marker.committed) {
      for (auto& [partition, value] : offsets) {
        Settle(group, partition, std::move(value));
      }
    }
    DisposeIfDone(id);
  }
  Publish();
}

Group& GroupTable::FindOrAdd(const std::string& group_id) {
  const auto [it, is_new] = groups_.try_emplace(group_id, group_id);
  if (is_new) CountSoft(it->second);
  return it->second;
}

void GroupTable::Pend(const OffsetRecord& record, const RecordMeta& meta) {
  TransactionalOffsets& of = FindOrAdd(record.group_id).transactional;
  replicated_ -= of.footprint();
  CommittedOffset value = *record.value;
  value.written_at = meta.offset;
  of.Put(meta.producer_id, record.partition, std::move(value));
  replicated_ += of.footprint();
  open_.Add(meta.producer_id, record.group_id, meta.offset);
}

void GroupTable::DropOpen(Group& group, const TopicPartition& partition) {
  replicated_ -= group.transactional.footprint();
  for (const ProducerId producer : group.transactional.Drop(partition)) {
    open_.Remove(producer, group.id);
  }
  replicated_ += group.transactional.footprint();
}

template <class R>
void GroupTable::Store(Group& group, const R& record) {
  const Sizes before = SizesOf(group, record);
  coordinator::Apply(group, record);
  const Sizes after = SizesOf(group, record);
  live_bytes_ += after.in_snapshot - before.in_snapshot;
  replicated_ += after.in_memory - before.in_memory;
}

bool GroupTable::Snapshot(GroupCursor& cursor, size_t bytes,
                          std::vector<GroupRecord>* out) const {
  size_t taken = 0;
  auto it =
      cursor.group_id ? groups_.lower_bound(*cursor.group_id) : groups_.begin();
  for (; it != groups_.end(); ++it) {
    const Group& group = it->second;
    if (taken >= bytes) return true;
    if (cursor.group_id != group.id) {
      cursor = {group.id, std::nullopt};
      if (group.stored) {
        taken += EncodedBytes(group.id, *group.stored);
        out->push_back(GroupMetadataRecord{group.id, group.stored});
      }
    }
    auto offset = cursor.partition
                      ? group.offsets.upper_bound(*cursor.partition)
                      : group.offsets.begin();
    for (; offset != group.offsets.end(); ++offset) {
      if (taken >= bytes) return true;
      cursor.partition = offset->first;
      taken += EncodedBytes(group.id, offset->first, offset->second);
      out->push_back(OffsetRecord{group.id, offset->first, offset->second});
      // Nothing that will be newer than this would be older than its copy.
      if (!group.transactional.Contains(offset->first)) {
        std::get<OffsetRecord>(out->back()).value->written_at = -1;
      }
    }
  }
  return false;
}

void GroupTable::Activate(Moment at) {
  StartExpiryInterval(at);
  for (auto& [unused, group] : groups_) {
    coordinator::Activate(group, at);
    CountSoft(group);
    Reschedule(group);
  }
  Publish();
}

Decision GroupTable::Finish(const std::string& group_id, Step step) {
  Group& group = *Find(group_id);
  for (const GroupRecord& record : step.out.records) {
    const auto* offset = std::get_if<OffsetRecord>(&record);
    if (!offset || !offset->value) continue;
    ++group.pending_offsets[offset->partition];
    if (step.out.producer) ++group.pending_transactional[offset->partition];
  }
  in_flight_ += FootprintOf(step.out.records);
  CountSoft(group);
  Reschedule(group);
  DisposeIfDone(group_id);
  Publish();
  return std::move(step.out);
}

void GroupTable::Reschedule(const Group& group) {
  const std::optional<Instant> next = coordinator::NextDeadline(group);
  const auto it = wakeups_.find(group.id);
  if (it != wakeups_.end() && next == it->second) return;
  Unschedule(group.id);
  if (!next) return;
  wakeups_[group.id] = *next;
  wakeup_order_.insert({*next, group.id});
}

void GroupTable::Unschedule(const std::string& group_id) {
  const auto it = wakeups_.find(group_id);
  if (it == wakeups_.end()) return;
  wakeup_order_.erase({it->second, group_id});
  wakeups_.erase(it);
}

void GroupTable::DisposeIfDone(const std::string& group_id) {
  const auto it = groups_.find(group_id);
  if (it == groups_.end() || !it->second.IsDisposable()) return;
  Unschedule(group_id);
  soft_ -= it->second.footprint;
  groups_.erase(it);
}

template <class Request>
bool GroupTable::HasRoomFor(const Request& request) {
  const size_t growth = GrowthBy(Find(request.group_id), request);
  const bool many = in_flight_ > kWritesAlwaysTaken;
  return share_.Admit(many ? std::max(growth, size_t{1}) : growth);
}

void GroupTable::CountSoft(Group& group) {
  const size_t now = Footprint(group);
  soft_ += now - group.footprint;
  group.footprint = now;
}

}  // namespace tidemark::coordinator
