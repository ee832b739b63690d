#include "controller/metadata/went_back.h"

#include <algorithm>
#include <limits>
#include <string>

#include "common/metadata/configs.h"
#include "common/metadata/snapshot.h"

namespace tidemark::controller {
namespace {

constexpr int32_t kMost = std::numeric_limits<int32_t>::max();

Status MoveOn(const Steps& steps, record_v1::AddPartition* partition) {
  if (partition->leader_epoch() > kMost - steps.leader_epoch ||
      partition->partition_epoch() > kMost - steps.partition_epoch)
    return Fail(ErrorCode::kInvalidRequest,
                "the epochs of partition " +
                    std::to_string(partition->partition()) +
                    " of a topic cannot be moved on any further");
  partition->set_leader_epoch(partition->leader_epoch() + steps.leader_epoch);
  partition->set_partition_epoch(partition->partition_epoch() +
                                 steps.partition_epoch);
  return {};
}

}  // namespace

// Each faster than it can be used up, and for decades.
Steps StepsAfter(int64_t elapsed_ms) {
  const int64_t seconds =
      std::clamp<int64_t>(elapsed_ms / 1000, 0, int64_t{20} * 365 * 86'400);
  Steps steps;
  steps.offset += seconds * 100'000;
  steps.producer_id += seconds * 1'000'000;
  steps.term += static_cast<uint64_t>(seconds);
  steps.leader_epoch += static_cast<LeaderEpoch>(seconds);
  steps.partition_epoch += static_cast<PartitionEpoch>(seconds * 2);
  return steps;
}

Result<record_v1::RecordBatch> AfterGoingBack(const metadata::Image& image,
                                              const Steps& steps) {
  record_v1::RecordBatch batch = metadata::ToRecords(image);
  bool has_producers = false;
  for (record_v1::Record& record : *batch.mutable_records()) {
    if (record.has_add_partition())
      TM_RETURN_IF_ERROR(MoveOn(steps, record.mutable_add_partition()));
    if (record.has_allocate_producer_ids()) {
      has_producers = true;
      auto* ids = record.mutable_allocate_producer_ids();
      ids->set_next_producer_id(ids->next_producer_id() + steps.producer_id);
    }
  }
  if (!has_producers) {
    auto* ids = batch.add_records()->mutable_allocate_producer_ids();
    ids->set_broker_id(kNoNode);
    ids->set_broker_epoch(-1);
    ids->set_next_producer_id(steps.producer_id);
  }
  record_v1::SetConfig* keep = batch.add_records()->mutable_set_config();
  keep->set_type(record_v1::BROKER);
  keep->set_key(std::string(metadata::kRemoveUnknownLogs));
  keep->set_value("false");
  return batch;
}

}  // namespace tidemark::controller
