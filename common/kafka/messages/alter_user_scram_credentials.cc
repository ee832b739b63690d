#include "common/kafka/messages/alter_user_scram_credentials.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<AlterUserScramCredentialsRequest>;
template struct MessageCodec<AlterUserScramCredentialsResponse>;

}  // namespace tidemark::kafka
