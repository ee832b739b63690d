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
// its
//   log is what followers are cut to;
// - producer ids: two producers are never one;
// - the epoch of the controllers: brokers refuse the feed of an older one.
inline constexpr MetadataOffset kOffsetStep = 1'000'000'000;
inline constexpr LeaderEpoch kLeaderEpochStep = 100'000;
inline constexpr PartitionEpoch kPartitionEpochStep = 1'000'000;
inline constexpr ProducerId kProducerIdStep = 1'000'000'000;
inline constexpr uint64_t kTermStep = 100'000;

// The records of a snapshot of `image` moved on, in which brokers are told to
// keep the logs that it does not know (metadata::kRemoveUnknownLogs).
// kInvalidRequest: there are no larger epochs left.
Result<record_v1::RecordBatch> AfterGoingBack(const metadata::Image& image);

}  // namespace tidemark::controller
