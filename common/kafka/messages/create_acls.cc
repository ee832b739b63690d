#include "common/kafka/messages/create_acls.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<CreateAclsRequest>;
template struct MessageCodec<CreateAclsResponse>;

}  // namespace tidemark::kafka
