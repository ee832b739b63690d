#include "common/kafka/messages/metadata.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<MetadataRequest>;
template struct MessageCodec<MetadataResponse>;

}  // namespace tidemark::kafka
