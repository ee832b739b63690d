#include "broker/log/producer_state.h"

#include <algorithm>
#include <map>
#include <vector>

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
    const record::BatchHeader& batch) const {
  if (!IsTracked(batch)) return std::nullopt;
  auto it = producers_.find(batch.producer_id);
  if (it == producers_.end()) return std::nullopt;
  const Producer& known = it->second;
  if (batch.producer_epoch < known.epoch) {
    return Fail(ErrorCode::kInvalidProducerEpoch,
                "producer " + std::to_string(batch.producer_id) + " epoch " +
                    std::to_string(batch.producer_epoch) +
                    " is older than the last seen " +
                    std::to_string(known.epoch));
  }
  if (batch.producer_epoch > known.epoch) {
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
  if (!IsTracked(batch)) return;
  Producer& producer = producers_[batch.producer_id];
  if (producer.epoch != batch.producer_epoch) {
    producer = {};
    producer.epoch = batch.producer_epoch;
  }
  Push(producer, ToBatch(batch));
}

bool ProducerState::TruncateTo(Offset end) {
  bool complete = true;
  for (auto& [id, producer] : producers_) {
    while (producer.count > 0 && producer.last().last_offset >= end) {
      --producer.count;
    }
    complete &= producer.count > 0;
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
        it->second.count >= producer.count ||
        it->second.last() != producer.last()) {
      continue;
    }
    it->second = producer;
  }
}

void ProducerState::Expire(int64_t now_ms, int64_t expiration_ms) {
  std::erase_if(producers_, [&](const auto& entry) {
    // Timestamps are the producers' own: any number.
    return entry.second.last().timestamp_ms <= now_ms - expiration_ms;
  });
}

std::string ProducerState::EncodeSnapshot() const {
  std::string body;
  record::AppendBigEndian(static_cast<int32_t>(producers_.size()), &body);
  // Sorted, so that equal states have equal files.
  std::map<ProducerId, const Producer*> sorted;
  for (const auto& [id, producer] : producers_) sorted[id] = &producer;
  for (const auto& [id, producer] : sorted) {
    const ProducerBatch& last = producer->last();
    record::AppendBigEndian(id, &body);
    record::AppendBigEndian(producer->epoch, &body);
    record::AppendBigEndian(last.last_sequence, &body);
    record::AppendBigEndian(last.last_offset, &body);
    record::AppendBigEndian(last.offset_delta, &body);
    record::AppendBigEndian(last.timestamp_ms, &body);
    record::AppendBigEndian(int32_t{-1}, &body);
    record::AppendBigEndian(int64_t{-1}, &body);
  }
  std::string bytes;
  record::AppendBigEndian(kSnapshotVersion, &bytes);
  record::AppendBigEndian(record::Crc32c(body), &bytes);
  return bytes + body;
}

Status ProducerState::LoadSnapshot(std::string_view bytes) {
  producers_.clear();
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
    Push(producer, last);
    producers_[record::LoadBigEndian<int64_t>(at)] = producer;
  }
  return {};
}

}  // namespace tidemark::log
