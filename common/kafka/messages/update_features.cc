#include "common/kafka/messages/update_features.h"

#include "common/kafka/codec_impl.h"

namespace tidemark::kafka {

template struct MessageCodec<UpdateFeaturesRequest>;
template struct MessageCodec<UpdateFeaturesResponse>;

}  // namespace tidemark::kafka
