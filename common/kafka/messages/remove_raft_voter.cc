#include "common/kafka/messages/remove_raft_voter.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<RemoveRaftVoterRequest>;
template struct MessageCodec<RemoveRaftVoterResponse>;

}  // namespace tidemark::kafka
