#include "common/kafka/messages/delete_acls.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<DeleteAclsRequest>;
template struct MessageCodec<DeleteAclsResponse>;

}  // namespace tidemark::kafka
