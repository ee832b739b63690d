#include "common/kafka/messages/sasl_authenticate.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<SaslAuthenticateRequest>;
template struct MessageCodec<SaslAuthenticateResponse>;

}  // namespace tidemark::kafka
