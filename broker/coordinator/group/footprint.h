#pragma once

#include <cstddef>

#include "broker/coordinator/group/group.h"

// About how many bytes of memory the parts of a group take, with what maps and
// the heap add to each. Pure.
namespace tidemark::coordinator {

// Soft state: the group itself, its members, and who is about to be one.
size_t Footprint(const Group& group);
// As a member of a group that has it not yet.
size_t Footprint(const JoinRequest& request);

// Replicated state, and records of it that are being written.
size_t Footprint(const StoredGroup& stored);
size_t Footprint(const TopicPartition& partition, const CommittedOffset& value);
size_t Footprint(const GroupRecord& record);

// Of an open transaction: an offset in it, and a group that has some in it.
size_t OpenFootprint(const TopicPartition& partition,
                     const CommittedOffset& value);
size_t OpenFootprint(const std::string& group_id);

// By how much a group would grow; `group` is nullptr where there is none yet.
// 0 for who is no member and cannot become one by asking like this.
size_t GrowthBy(const Group* group, const JoinRequest& request);
size_t GrowthBy(const Group& group, const SyncRequest& request);
size_t GrowthBy(const Group* group, const CommitRequest& request);
size_t GrowthBy(const Group* group, const TxnCommitRequest& request);

}  // namespace tidemark::coordinator
