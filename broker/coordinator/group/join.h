#pragma once

#include "broker/coordinator/group/group.h"

namespace tidemark::coordinator {

// JoinGroup 0-9. The answer waits until the rebalance it starts or takes part
// in has found its members. REQUIRES: group id and session timeout are valid.
void Join(Group& group, const JoinRequest& request, Ticket ticket, Step& step);

}  // namespace tidemark::coordinator
