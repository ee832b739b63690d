#include "broker/log/producer_state.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/record/big_endian.h"
#include "common/record/crc32c.h"

namespace tidemark::log {
namespace {

constexpr int16_t kSnapshotVersion = 1;
constexpr size_t kSnapshotHeader = 2 + 4 + 4;
constexpr size_t kSnapshotEntry = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;

ProducerBatch ToBatch(const record::BatchHeader& header) {
  return {header.LastSequence(), header.LastOffset(), header.last_offset_delta,
          header.max_timestamp};
}

// Whether anything is to be known of it. Offsets that a group commits in a
// transaction are in no sequence.
bool IsKept(const record::BatchHeader& batch) {
  return IsTracked(batch) || (batch.HasProducerId() && !batch.IsControl() &&
                              batch.IsTransactional());
}

// A snapshot has the time of the newest marker where that is later.
bool IsSame(const ProducerBatch& a, const ProducerBatch& b) {
  return a.last_sequence == b.last_sequence && a.last_offset == b.last_offset &&
         a.offset_delta == b.offset_delta;
}

// Another epoch has sequences of its own. A transaction goes on.
void BeginEpoch(ProducerState::Producer& producer, ProducerEpoch epoch) {
  if (producer.epoch == epoch) return;
  producer.epoch = epoch;
  producer.count = 0;
  producer.before = 0;
}

}  // namespace

std::optional<ProducerState::Original> ProducerState::FindIn(
    const Producer& known, const record::BatchHeader& batch) {
  for (const ProducerBatch& old : known.remembered()) {
    if (old.first_sequence() == batch.base_sequence &&
        old.last_sequence == batch.LastSequence()) {
      return Original{old.first_offset(), old.last_offset, old.timestamp_ms};
    }
  }
  const ProducerBatch& oldest = known.batches[0];
  const uint32_t back =
      SequencesBetween(batch.base_sequence, oldest.first_sequence());
  if (back > known.before ||
      back <= static_cast<uint32_t>(batch.last_offset_delta)) {
    return std::nullopt;
  }
  return Original{-1, oldest.first_offset() - 1, oldest.timestamp_ms};
}

Result<std::optional<ProducerState::Original>> ProducerState::Check(
    const record::BatchHeader& batch, int8_t version) const {
  if (!IsKept(batch)) return std::nullopt;
  auto it = producers_.find(batch.producer_id);
  if (it == producers_.end()) {
    // Its epoch is new with its transaction, so nothing of it has been here and
    // was forgotten.
    if (version < kEpochPerTransaction || !batch.IsTransactional() ||
        !IsTracked(batch) || batch.base_sequence == 0) {
      return std::nullopt;
    }
    return Fail(ErrorCode::kOutOfOrderSequenceNumber,
                "producer " + std::to_string(batch.producer_id) +
                    " is not known here and begins with sequence " +
                    std::to_string(batch.base_sequence) + " instead of 0");
  }
  const Producer& known = it->second;
  if (batch.producer_epoch < known.epoch) {
    return Fail(ErrorCode::kInvalidProducerEpoch,
                "producer " + std::to_string(batch.producer_id) + " epoch " +
                    std::to_string(batch.producer_epoch) +
                    " is older than the last seen " +
                    std::to_string(known.epoch));
  }
  if (IsTracked(batch)) {
    TM_ASSIGN_OR_RETURN(const auto original, CheckSequence(known, batch));
    if (original) return original;
  }
  if (known.transaction >= 0 && !batch.IsTransactional()) {
    return Fail(ErrorCode::kInvalidTxnState,
                "producer " + std::to_string(batch.producer_id) +
                    " has a transaction open since offset " +
                    std::to_string(known.transaction));
  }
  return std::nullopt;
}

Result<std::optional<ProducerState::Original>> ProducerState::CheckSequence(
    const Producer& known, const record::BatchHeader& batch) const {
  if (batch.producer_epoch > known.epoch || known.count == 0) {
    if (batch.base_sequence == 0) return std::nullopt;
    return Fail(ErrorCode::kOutOfOrderSequenceNumber,
                "producer " + std::to_string(batch.producer_id) +
                    " starts epoch " + std::to_string(batch.producer_epoch) +
                    " with sequence " + std::to_string(batch.base_sequence) +
                    " instead of 0");
  }
  if (const auto original = FindIn(known, batch)) return original;
  if (FollowsSequence(known.last().last_sequence, batch.base_sequence)) {
    return std::nullopt;
  }
  return Fail(ErrorCode::kOutOfOrderSequenceNumber,
              "producer " + std::to_string(batch.producer_id) + " sent " +
                  std::to_string(batch.base_sequence) + " after " +
                  std::to_string(known.last().last_sequence));
}

// A coordinator of version 2 gives every transaction an epoch of its own, and
// ends it with the next one. So a marker of the epoch that is known belongs to
// the transaction before: it is an end that was written twice, and may be once
// more, but must not end what has begun since.
Status ProducerState::CheckMarker(const record::BatchHeader& batch,
                                  const record::TransactionMarker& marker,
                                  int8_t version) const {
  auto it = producers_.find(batch.producer_id);
  if (it == producers_.end()) return {};
  const Producer& known = it->second;
  const bool late = version >= kEpochPerTransaction &&
                    batch.producer_epoch == known.epoch &&
                    known.transaction >= 0;
  if (batch.producer_epoch < known.epoch || late) {
    return Fail(ErrorCode::kInvalidProducerEpoch,
                "a marker of producer " + std::to_string(batch.producer_id) +
                    " with epoch " + std::to_string(batch.producer_epoch) +
                    " comes after epoch " + std::to_string(known.epoch));
  }
  if (marker.coordinator_epoch < known.coordinator_epoch) {
    return Fail(ErrorCode::kTransactionCoordinatorFenced,
                "a marker of coordinator epoch " +
                    std::to_string(marker.coordinator_epoch) +
                    " comes after one of " +
                    std::to_string(known.coordinator_epoch));
  }
  return {};
}

bool ProducerState::BeginsTransaction(const record::BatchHeader& batch) const {
  if (!batch.IsTransactional() || batch.IsControl()) return false;
  auto it = producers_.find(batch.producer_id);
  if (it == producers_.end()) return true;
  const Producer& known = it->second;
  if (batch.producer_epoch != known.epoch) {
    return batch.producer_epoch > known.epoch;
  }
  const bool again =
      IsTracked(batch) && known.count > 0 && FindIn(known, batch).has_value();
  return known.transaction < 0 && !again;
}

void ProducerState::Push(Producer& producer, const ProducerBatch& batch) {
  if (producer.count == kBatches) {
    const ProducerBatch& oldest = producer.batches[0];
    const int32_t next = producer.batches[1].first_sequence();
    producer.before = !FollowsSequence(oldest.last_sequence, next) ? 0
                      : oldest.count() > kMostBefore - producer.before
                          ? kMostBefore
                          : producer.before + oldest.count();
    std::move(producer.batches.begin() + 1, producer.batches.end(),
              producer.batches.begin());
    --producer.count;
  }
  producer.batches[producer.count++] = batch;
}

void ProducerState::Apply(const record::BatchHeader& batch) {
  if (!IsKept(batch)) return;
  Producer& producer = producers_[batch.producer_id];
  BeginEpoch(producer, batch.producer_epoch);
  producer.timestamp_ms = batch.max_timestamp;
  Push(producer, ToBatch(batch));
  if (!batch.IsTransactional()) return;
  last_transactional_ = batch.LastOffset();
  if (producer.transaction >= 0) return;
  producer.transaction = batch.base_offset;
  open_[batch.base_offset] = batch.producer_id;
}

std::optional<AbortedTransaction> ProducerState::Apply(
    const record::BatchHeader& header, std::string_view batch) {
  if (!IsMarker(header)) {
    Apply(header);
    return std::nullopt;
  }
  const auto marker = MarkerIn(header, batch);
  return marker ? ApplyMarker(header, *marker) : std::nullopt;
}

std::optional<AbortedTransaction> ProducerState::ApplyMarker(
    const record::BatchHeader& batch, const record::TransactionMarker& marker) {
  Producer& producer = producers_[batch.producer_id];
  BeginEpoch(producer, batch.producer_epoch);
  producer.timestamp_ms = batch.max_timestamp;
  producer.coordinator_epoch = marker.coordinator_epoch;
  last_transactional_ = batch.LastOffset();
  const Offset first = std::exchange(producer.transaction, -1);
  if (first < 0) return std::nullopt;
  open_.erase(first);
  unsettled_[first] = batch.base_offset;
  if (marker.type != record::ControlRecordType::kAbort) return std::nullopt;
  const Offset stable =
      open_.empty() ? batch.NextOffset() : open_.begin()->first;
  return AbortedTransaction{batch.producer_id, first, batch.base_offset,
                            stable};
}

Offset ProducerState::FirstUnstable(Offset high_watermark) const {
  Offset stable = high_watermark;
  if (!open_.empty()) stable = std::min(stable, open_.begin()->first);
  for (const auto& [first, marker] : unsettled_) {
    if (marker < high_watermark) continue;
    return std::min(stable, first);
  }
  return stable;
}

void ProducerState::TakeUnsettled(const ProducerState& before, Offset end) {
  for (const auto& [first, marker] : before.unsettled_) {
    if (marker < end) unsettled_.emplace(first, marker);
  }
}

bool ProducerState::TruncateTo(Offset end) {
  if (end <= last_transactional_) return false;
  bool complete = true;
  for (auto& [id, producer] : producers_) {
    if (producer.count == 0) continue;
    while (producer.count > 0 && producer.last().last_offset >= end) {
      --producer.count;
    }
    if (producer.count > 0) {
      producer.timestamp_ms = producer.last().timestamp_ms;
    } else {
      complete = false;
    }
  }
  return complete;
}

void ProducerState::Refill(std::span<const record::BatchHeader> batches) {
  std::map<ProducerId, Producer> seen;
  for (const auto& batch : batches) {
    if (!IsTracked(batch)) continue;
    Producer& producer = seen[batch.producer_id];
    if (producer.epoch != batch.producer_epoch) {
      producer = {};
      producer.epoch = batch.producer_epoch;
    }
    Push(producer, ToBatch(batch));
  }
  for (const auto& [id, producer] : seen) {
    auto it = producers_.find(id);
    if (it == producers_.end() || it->second.epoch != producer.epoch ||
        it->second.count == 0 || it->second.count >= producer.count ||
        !IsSame(it->second.last(), producer.last())) {
      continue;
    }
    it->second.count = producer.count;
    it->second.before = producer.before;
    it->second.batches = producer.batches;
  }
}

void ProducerState::Expire(int64_t now_ms, int64_t expiration_ms) {
  std::erase_if(producers_, [&](const auto& entry) {
    // Timestamps are the producers' own: any number.
    return entry.second.transaction < 0 &&
           entry.second.timestamp_ms <= now_ms - expiration_ms;
  });
}

std::vector<ActiveProducer> ProducerState::Active() const {
  std::vector<ActiveProducer> active;
  active.reserve(producers_.size());
  for (const auto& [id, producer] : producers_) {
    active.push_back({id, producer.epoch,
                      producer.count > 0 ? producer.last().last_sequence : -1,
                      producer.timestamp_ms, producer.coordinator_epoch,
                      producer.transaction});
  }
  return active;
}

std::string ProducerState::EncodeSnapshot() const {
  std::string body;
  record::AppendBigEndian(static_cast<int32_t>(producers_.size()), &body);
  // Sorted, so that equal states have equal files.
  std::map<ProducerId, const Producer*> sorted;
  for (const auto& [id, producer] : producers_) sorted[id] = &producer;
  for (const auto& [id, producer] : sorted) {
    const ProducerBatch last =
        producer->count > 0 ? producer->last() : ProducerBatch();
    record::AppendBigEndian(id, &body);
    record::AppendBigEndian(producer->epoch, &body);
    record::AppendBigEndian(last.last_sequence, &body);
    record::AppendBigEndian(last.last_offset, &body);
    record::AppendBigEndian(last.offset_delta, &body);
    record::AppendBigEndian(producer->timestamp_ms, &body);
    record::AppendBigEndian(producer->coordinator_epoch, &body);
    record::AppendBigEndian(producer->transaction, &body);
  }
  std::string bytes;
  record::AppendBigEndian(kSnapshotVersion, &bytes);
  record::AppendBigEndian(record::Crc32c(body), &bytes);
  return bytes + body;
}

Status ProducerState::LoadSnapshot(std::string_view bytes, Offset end) {
  Clear();
  auto corrupt = [](const char* why) {
    return Fail(ErrorCode::kCorruptMessage,
                std::string("producer snapshot: ") + why);
  };
  if (bytes.size() < kSnapshotHeader) return corrupt("cut off");
  if (record::LoadBigEndian<int16_t>(bytes.data()) != kSnapshotVersion) {
    return corrupt("unknown version");
  }
  if (record::LoadBigEndian<uint32_t>(bytes.data() + 2) !=
      record::Crc32c(bytes.substr(6))) {
    return corrupt("checksum does not match");
  }
  auto count = record::LoadBigEndian<int32_t>(bytes.data() + 6);
  bytes.remove_prefix(kSnapshotHeader);
  if (count < 0 ||
      bytes.size() != static_cast<size_t>(count) * kSnapshotEntry) {
    return corrupt("wrong number of entries");
  }
  for (; !bytes.empty(); bytes.remove_prefix(kSnapshotEntry)) {
    const char* at = bytes.data();
    Producer producer;
    producer.epoch = record::LoadBigEndian<int16_t>(at + 8);
    ProducerBatch last;
    last.last_sequence = record::LoadBigEndian<int32_t>(at + 10);
    last.last_offset = record::LoadBigEndian<int64_t>(at + 14);
    last.offset_delta = record::LoadBigEndian<int32_t>(at + 22);
    last.timestamp_ms = record::LoadBigEndian<int64_t>(at + 26);
    if (last.last_offset >= 0) Push(producer, last);
    producer.timestamp_ms = last.timestamp_ms;
    producer.coordinator_epoch = record::LoadBigEndian<int32_t>(at + 34);
    producer.transaction =
        std::max<Offset>(record::LoadBigEndian<int64_t>(at + 38), -1);
    const auto id = record::LoadBigEndian<int64_t>(at);
    if (producer.transaction >= 0) open_[producer.transaction] = id;
    if (producer.transaction >= 0 || producer.coordinator_epoch >= 0) {
      last_transactional_ = end - 1;
    }
    if (!producers_.emplace(id, producer).second) {
      Clear();
      return corrupt("a producer is there twice");
    }
  }
  return {};
}

}  // namespace tidemark::log
