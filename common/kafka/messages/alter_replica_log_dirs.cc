#include "common/kafka/messages/alter_replica_log_dirs.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<AlterReplicaLogDirsRequest>;
template struct MessageCodec<AlterReplicaLogDirsResponse>;

}  // namespace tidemark::kafka
