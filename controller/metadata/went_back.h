#pragma once

#include <cstdint>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/metadata/image.h"
#include "controller/metadata/decision.h"

namespace tidemark::controller {

// How far what only ever grows is moved on when the metadata go back in time:
// beyond all that may have been given out since, and was forgotten. So nothing
// that is given out from now on is taken for what was given out then:
//
// - the offset: a broker that was further along takes a snapshot, not what
//   follows the number that it has; epochs of brokers are offsets;
// - the epochs of partitions: a leader of now is newer than one of then, and
//   its log is what followers are cut to;
// - producer ids: two producers are never one;
// - the epoch of the controllers: brokers refuse the feed of an older one.
//
// The longer ago, the further: whoever goes back to the same backup twice must
// not give out again what came after the first time.
struct Steps {
  MetadataOffset offset = 1'000'000'000;
  LeaderEpoch leader_epoch = 100'000;
  PartitionEpoch partition_epoch = 1'000'000;
  ProducerId producer_id = 1'000'000'000;
  uint64_t term = 100'000;
};
// `elapsed_ms`: since the metadata were as they will be.
Steps StepsAfter(int64_t elapsed_ms);

// The records of a snapshot of `image` moved on, in which brokers are told to
// keep the logs that it does not know (metadata::kRemoveUnknownLogs).
// kInvalidRequest: there are no larger epochs left.
Result<record_v1::RecordBatch> AfterGoingBack(const metadata::Image& image,
                                              const Steps& steps = {});

}  // namespace tidemark::controller
