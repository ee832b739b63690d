#include "broker/replication/housekeeping.h"

#include <glog/logging.h>

#include <utility>
#include <vector>

namespace tidemark::replication {

void Housekeeping::Tick() {
  const Instant now = state_.executor.Now();
  for (auto& [name, slot] : state_.slots) {
    if (!slot->partition.NeedsTick()) continue;
    slot->partition.Tick(now);
    effects_.Settle(*slot);
  }
}

void Housekeeping::ApplyRetention() {
  const int64_t now_ms = state_.executor.WallMs();
  for (auto& [name, slot] : state_.slots) {
    if (slot->partition.failed()) continue;
    const auto dropped = slot->partition.ApplyRetention(now_ms);
    if (!dropped) {
      LOG(ERROR) << "retention failed partition=" << ToString(name)
                 << " error=" << ToString(dropped.error());
    } else if (*dropped > 0) {
      LOG(INFO) << "retention dropped segments=" << *dropped
                << " partition=" << ToString(name)
                << " start=" << slot->partition.log().start_offset();
    }
    effects_.Settle(*slot);
  }
}

void Housekeeping::NoticeFailures() {
  for (auto& [name, slot] : state_.slots) {
    slot->partition.NoticeFailure();
    effects_.Settle(*slot);
  }
}

log::OffsetMap Housekeeping::ChangedHighWatermarks() {
  log::OffsetMap changed;
  for (auto& [name, slot] : state_.slots) {
    const Offset now = slot->partition.high_watermark();
    if (now == slot->checkpointed_high_watermark || slot->partition.failed()) {
      continue;  // B-32
    }
    slot->checkpointed_high_watermark = now;
    changed[name] = now;
  }
  return changed;
}

}  // namespace tidemark::replication
