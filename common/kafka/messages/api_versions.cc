#include "common/kafka/messages/api_versions.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<ApiVersionsRequest>;
template struct MessageCodec<ApiVersionsResponse>;

}  // namespace tidemark::kafka
