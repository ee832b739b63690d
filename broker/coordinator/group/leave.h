#pragma once

#include "broker/coordinator/group/group.h"

namespace tidemark::coordinator {

// LeaveGroup 0-5: one or many members (KIP-345), each with its own error. A
// static member may be removed by its instance id alone.
void Leave(Group& group, const LeaveRequest& request, Ticket ticket,
           Step& step);

}  // namespace tidemark::coordinator
