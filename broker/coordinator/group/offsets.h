#pragma once

#include <functional>
#include <vector>

#include "broker/coordinator/group/group.h"

namespace tidemark::coordinator {

// OffsetCommit 1-9. Members commit with their generation; anybody may commit
// to a group without members (simple consumers, admin tools) with -1.
void Commit(Group& group, const CommitRequest& request, Ticket ticket,
            Step& step);

// TxnOffsetCommit 0-5 (KIP-447): also for a group in the midst of a rebalance,
// for the producer's transaction is fenced by other means.
void CommitInTransaction(Group& group, const TxnCommitRequest& request,
                         Ticket ticket, Step& step);

// OffsetFetch 1-9: committed offsets only; where they must be stable, none that
// an open transaction may change.
FetchResult FetchOffsets(const Group* group, const FetchRequest& request);

// Tombstones of offsets that are past their retention and, when nothing is
// left, of the group. Offsets of a group with members do not expire, and none
// that a transaction may change.
std::vector<GroupRecord> ExpiredRecords(const Group& group,
                                        const GroupConfig& config,
                                        int64_t wall_ms);

// OffsetDelete (KIP-496): of what no member subscribes to. A group with members
// that are no consumers is left alone.
void DeleteOffsets(const Group& group, const DeleteOffsetsRequest& request,
                   Ticket ticket, Step& step);

// Tombstones of everything the group has, also of what is being written and of
// what transactions that are open have committed.
std::vector<GroupRecord> DeletionRecords(const Group& group);

// Tombstones of the offsets of partitions that `gone` picks.
std::vector<GroupRecord> TombstonesIf(
    const Group& group, const std::function<bool(const TopicPartition&)>& gone);

}  // namespace tidemark::coordinator
