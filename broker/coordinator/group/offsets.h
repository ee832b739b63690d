#pragma once

#include <functional>
#include <vector>

#include "broker/coordinator/group/group.h"

namespace tidemark::coordinator {

// OffsetCommit 1-9. Members commit with their generation; anybody may commit
// to a group without members (simple consumers, admin tools) with -1.
void Commit(Group& group, const CommitRequest& request, Ticket ticket,
            Step& step);

// OffsetFetch 1-9: committed offsets only.
FetchResult FetchOffsets(const Group* group, const FetchRequest& request);

// Tombstones of offsets that are past their retention and, when nothing is
// left, of the group. Offsets of a group with members do not expire.
std::vector<GroupRecord> ExpiredRecords(const Group& group,
                                        const GroupConfig& config,
                                        int64_t wall_ms);

// Tombstones of everything the group has, also of what is being written.
std::vector<GroupRecord> DeletionRecords(const Group& group);

// Tombstones of the offsets of partitions that `gone` picks.
std::vector<GroupRecord> TombstonesIf(
    const Group& group, const std::function<bool(const TopicPartition&)>& gone);

}  // namespace tidemark::coordinator
