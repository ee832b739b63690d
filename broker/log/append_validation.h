#pragma once

#include <cstdint>
#include <string_view>

#include "broker/log/log.h"
#include "common/record/batch_header.h"

namespace tidemark::log {

enum class BatchOrigin {
  kClient,       // a produce request
  kCoordinator,  // the broker itself: control batches are allowed
};

// Kafka's rules for one batch that goes to a leader (kafka LogValidator,
// ProduceRequest.validateRecords), in one pass over its bytes. Pure; does not
// know about sequences (ProducerState does).
//
// kMessageTooLarge: longer than max.message.bytes. kInvalidRecord: not
// exactly one batch, magic other than 2, no records or a count that does not
// fit the offsets, in a transaction of nobody, a control batch or an idempotent
// one without sequence from a client, a record without key on a compacted
// topic. kCorruptMessage: cut off, or the checksum is wrong. kInvalidTimestamp:
// marked LogAppendTime by the producer. kUnsupportedCompressionType: an unknown
// codec.
Result<record::BatchHeader> ValidateAppend(std::string_view batch,
                                           const LogConfig& config,
                                           BatchOrigin origin);

}  // namespace tidemark::log
