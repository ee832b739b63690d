#include "common/kafka/messages/sasl_handshake.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<SaslHandshakeRequest>;
template struct MessageCodec<SaslHandshakeResponse>;

}  // namespace tidemark::kafka
