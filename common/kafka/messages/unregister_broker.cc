#include "common/kafka/messages/unregister_broker.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<UnregisterBrokerRequest>;
template struct MessageCodec<UnregisterBrokerResponse>;

}  // namespace tidemark::kafka
