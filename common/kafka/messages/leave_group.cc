#include "common/kafka/messages/leave_group.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<LeaveGroupRequest>;
template struct MessageCodec<LeaveGroupResponse>;

}  // namespace tidemark::kafka
