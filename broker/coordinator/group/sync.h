#pragma once

#include "broker/coordinator/group/group.h"

namespace tidemark::coordinator {

// SyncGroup 0-5. The leader's makes a record of the assignments; the answers
// of all members wait until it is committed. Without room for it they wait for
// the leader to ask again, or to be dropped when it has had its time: at an
// error it would ask again at once.
void Sync(Group& group, const SyncRequest& request, bool has_room,
          Ticket ticket, Step& step);

// The write of that record has ended. REQUIRES: if `committed`, it has been
// applied. Ignored when the group has moved on from `generation`.
void OnAssignmentStored(Group& group, int32_t generation, bool committed,
                        Step& step);

ErrorCode Heartbeat(Group& group, const HeartbeatRequest& request, Moment at);

}  // namespace tidemark::coordinator
