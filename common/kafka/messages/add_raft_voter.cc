#include "common/kafka/messages/add_raft_voter.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<AddRaftVoterRequest>;
template struct MessageCodec<AddRaftVoterResponse>;

}  // namespace tidemark::kafka
