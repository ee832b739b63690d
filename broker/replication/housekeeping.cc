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

void Housekeeping::WriteCheckpoints() {
  std::vector<std::pair<TopicPartition, LogStore::Checkpoint>> changed;
  std::vector<Slot*> slots;
  for (auto& [name, slot] : state_.slots) {
    log::Log& log = slot->partition.log();
    if (log.failed() || (slot->checkpoint.recovery_point == log.end_offset() &&
                         slot->checkpoint.start_offset == log.start_offset())) {
      continue;
    }
    const auto point = log.RecoveryPoint();
    if (!point) {
      LOG(ERROR) << "no recovery point partition=" << ToString(name)
                 << " error=" << ToString(point.error());
      slot->partition.NoticeFailure();
      effects_.Settle(*slot);
      continue;
    }
    changed.emplace_back(name,
                         LogStore::Checkpoint{*point, log.start_offset()});
    slots.push_back(slot.get());
  }
  if (changed.empty()) return;
  auto written = state_.services.logs->WriteCheckpoints(changed);
  if (!written) {
    LOG(ERROR) << "cannot write checkpoints error="
               << ToString(written.error());
    return;
  }
  for (size_t i = 0; i < slots.size(); ++i) {
    slots[i]->checkpoint = changed[i].second;
  }
}

}  // namespace tidemark::replication
