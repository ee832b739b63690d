#include "common/kafka/messages/delete_records.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DeleteRecordsRequest>;
template struct MessageCodec<DeleteRecordsResponse>;

}  // namespace tidemark::kafka
