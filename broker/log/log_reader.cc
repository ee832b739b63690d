#include <glog/logging.h>

#include <algorithm>

#include "broker/log/partition_log.h"
#include "common/record/batch_reader.h"

namespace tidemark::log {
namespace {

constexpr size_t kWalkWindow = 8 * 1024;

}  // namespace

size_t PartitionLog::SegmentIndex(Offset offset) const {
  auto after = std::upper_bound(
      segments_.begin(), segments_.end(), offset,
      [](Offset o, const auto& segment) { return o < segment->base_offset(); });
  if (after == segments_.begin()) return 0;
  return static_cast<size_t>(after - segments_.begin()) - 1;
}

std::optional<PartitionLog::Place> PartitionLog::PlaceOf(Offset base) const {
  for (const Place& place : places_) {
    if (place.base == base) return place;
  }
  return std::nullopt;
}

uint64_t PartitionLog::FloorFromHints(const Segment& segment,
                                      Offset offset) const {
  uint64_t best = 0;
  if (&segment == &active()) {
    for (const Place& place : places_) {
      if (place.base >= 0 && place.base <= offset) {
        best = std::max<uint64_t>(best, place.position);
      }
    }
  }
  for (const ReadHint& hint : hints_) {
    if (hint.segment == segment.base_offset() && hint.next == offset) {
      best = std::max<uint64_t>(best, hint.position);
    }
  }
  return best;
}

Result<std::optional<PartitionLog::Found>> PartitionLog::Locate(
    const Segment& segment, Offset offset) {
  uint64_t floor = FloorFromHints(segment, offset);
  if (floor == 0 && offset > segment.base_offset()) {
    TM_ASSIGN_OR_RETURN(floor, segment.Floor(offset));
  }
  TM_ASSIGN_OR_RETURN(
      auto cursor,
      segment.Walk(floor, BatchCursor::Want::kHeaders, kWalkWindow));
  while (true) {
    TM_ASSIGN_OR_RETURN(auto item, cursor.Next());
    if (!item) return std::nullopt;
    if (item->header.LastOffset() >= offset) {
      return Found{item->header, item->position};
    }
  }
}

Result<std::optional<PartitionLog::Found>> PartitionLog::FirstIn(
    const Segment& segment, Offset from) {
  const auto place = PlaceOf(from);
  if (!place || &segment != &active()) return Locate(segment, from);
  Found first{};
  first.header.base_offset = place->base;
  first.header.last_offset_delta =
      static_cast<int32_t>(place->next - 1 - place->base);
  first.header.batch_length =
      static_cast<int32_t>(place->size - record::kLogOverhead);
  first.position = place->position;
  return first;
}

void PartitionLog::Remember(Offset next, const Segment& segment,
                            uint64_t position) {
  hints_[next_hint_++ % hints_.size()] = {next, segment.base_offset(),
                                          static_cast<uint32_t>(position)};
}

Result<uint64_t> PartitionLog::EndBelow(size_t index, Offset limit) {
  const Segment& segment = *segments_[index];
  const bool last = index + 1 == segments_.size();
  if (limit >= (last ? end() : segments_[index + 1]->base_offset())) {
    return segment.size();
  }
  TM_ASSIGN_OR_RETURN(const auto first, FirstIn(segment, limit));
  return first ? first->position : segment.size();
}

Result<std::optional<LogSlice>> PartitionLog::Find(Offset from, Offset below,
                                                   size_t max_bytes,
                                                   size_t at_least) {
  TM_RETURN_IF_ERROR(Healthy());
  // Read knows what to say.
  if (from < start_ || from >= std::min(below, end())) return std::nullopt;
  const size_t index = SegmentIndex(from);
  const Segment& segment = *segments_[index];
  TM_ASSIGN_OR_RETURN(const auto first, Note(FirstIn(segment, from)));
  if (!first) return std::nullopt;
  TM_ASSIGN_OR_RETURN(uint64_t end,
                      Note(EndBelow(index, std::min(below, end()))));
  if (end > first->position + max_bytes) {
    // Up to a batch whose position is known: the index has one every few KB.
    const auto most = static_cast<uint32_t>(first->position + max_bytes);
    TM_ASSIGN_OR_RETURN(end, Note(segment.FloorOfPosition(most)));
  }
  if (end < first->position + at_least) return std::nullopt;
  TM_ASSIGN_OR_RETURN(auto file, Note(segment.LogFile()));
  Offset next = index + 1 < segments_.size()
                    ? segments_[index + 1]->base_offset()
                    : this->end();
  if (end < segment.size()) {
    TM_ASSIGN_OR_RETURN(auto cursor,
                        Note(segment.Walk(end, BatchCursor::Want::kHeaders,
                                          record::kBatchHeaderSize)));
    TM_ASSIGN_OR_RETURN(const auto item, Note(cursor.Next()));
    if (item) Remember(item->header.base_offset, segment, end);
    if (item) next = item->header.base_offset;
  }
  return LogSlice{std::move(file), first->position, end - first->position,
                  first->header.base_offset, next};
}

Result<SharedBytes> PartitionLog::Read(Offset from, Offset below,
                                       size_t max_bytes, bool at_least_one) {
  TM_RETURN_IF_ERROR(Healthy());
  if (from < start_ || from > end()) {
    return Fail(ErrorCode::kOffsetOutOfRange,
                "offset " + std::to_string(from) + " is not in [" +
                    std::to_string(start_) + ", " + std::to_string(end()) +
                    "]");
  }
  const Offset limit = std::min(below, end());
  if (from >= limit) return SharedBytes();
  for (size_t i = SegmentIndex(from); i < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    if (segment.base_offset() >= limit) break;
    TM_ASSIGN_OR_RETURN(const auto first, Note(FirstIn(segment, from)));
    if (!first) continue;
    const size_t size = first->header.FullSize();
    if (first->header.LastOffset() >= limit) break;
    if (size > max_bytes && !at_least_one) break;
    return Note(ReadFrom(segment, *first, limit, std::max(size, max_bytes)));
  }
  return SharedBytes();
}

Result<SharedBytes> PartitionLog::ReadFrom(const Segment& segment,
                                           const Found& first, Offset limit,
                                           size_t max_bytes) {
  uint64_t end = segment.size();
  if (&segment == &active()) {
    if (auto place = PlaceOf(limit)) end = place->position;
  }
  const size_t want =
      static_cast<size_t>(std::min<uint64_t>(max_bytes, end - first.position));
  auto buffer = std::make_shared_for_overwrite<char[]>(want);
  TM_ASSIGN_OR_RETURN(const size_t read,
                      segment.ReadAt(first.position, buffer.get(), want));
  const std::string_view bytes(buffer.get(), read);
  size_t whole = 0;
  Offset next = first.header.base_offset;
  while (bytes.size() - whole >= record::kBatchHeaderSize) {
    TM_ASSIGN_OR_RETURN(auto header,
                        record::ParseBatchHeader(bytes.substr(whole)));
    if (header.FullSize() > bytes.size() - whole) break;
    if (header.LastOffset() >= limit) break;
    whole += header.FullSize();
    next = header.NextOffset();
  }
  Remember(next, segment, first.position + whole);
  return SharedBytes(std::shared_ptr<const void>(buffer, buffer.get()),
                     bytes.substr(0, whole));
}

Result<std::vector<AbortedTransaction>> PartitionLog::AbortedIn(Offset from,
                                                                Offset below) {
  TM_RETURN_IF_ERROR(Healthy());
  std::vector<AbortedTransaction> found;
  for (size_t i = SegmentIndex(from); i < segments_.size(); ++i) {
    TransactionIndex& index = segments_[i]->transactions();
    const size_t before = found.size();
    auto all = index.Collect(from, below, &found);
    if (!all && all.error().code == ErrorCode::kCorruptMessage &&
        !segments_[i]->moving()) {
      LOG(WARNING) << "index has rotted reason=" << all.error().message;
      TM_RETURN_IF_ERROR(Note(IndexTransactions(i, i)));
      found.resize(before);
      all = index.Collect(from, below, &found);
    }
    TM_RETURN_IF_ERROR(Note(all));
    if (*all) break;
  }
  return found;
}

std::optional<SealedSegment> PartitionLog::FindSealed(Offset from) const {
  for (size_t i = SegmentIndex(from); i + 1 < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    if (segment.base_offset() < std::max(from, start_)) continue;
    return SealedSegment{segment.log_path(), segment.size(),
                         segment.base_offset(), segments_[i + 1]->base_offset(),
                         MayHaveGaps()};
  }
  return std::nullopt;
}

Result<std::string> PartitionLog::ReadBatch(const Segment& segment,
                                            const Found& batch) {
  std::string bytes(batch.header.FullSize(), '\0');
  TM_ASSIGN_OR_RETURN(
      size_t read, segment.ReadAt(batch.position, bytes.data(), bytes.size()));
  bytes.resize(read);
  return bytes;
}

Result<std::optional<TimestampedOffset>> PartitionLog::FindInSegment(
    const Segment& segment, int64_t timestamp_ms) {
  TM_ASSIGN_OR_RETURN(const Offset from,
                      segment.FloorOfTimestamp(timestamp_ms));
  TM_ASSIGN_OR_RETURN(const uint32_t floor, segment.Floor(from));
  TM_ASSIGN_OR_RETURN(
      auto cursor,
      segment.Walk(floor, BatchCursor::Want::kHeaders, kWalkWindow));
  while (true) {
    TM_ASSIGN_OR_RETURN(auto item, cursor.Next());
    if (!item) return std::nullopt;
    if (item->header.max_timestamp < timestamp_ms ||
        item->header.LastOffset() < start_) {
      continue;
    }
    TM_ASSIGN_OR_RETURN(std::string bytes,
                        ReadBatch(segment, {item->header, item->position}));
    TM_ASSIGN_OR_RETURN(auto records, record::RecordReader::Open(bytes));
    while (true) {
      TM_ASSIGN_OR_RETURN(auto rec, records.Next());
      if (!rec) break;
      if (rec->timestamp >= timestamp_ms && rec->offset >= start_) {
        return TimestampedOffset{rec->timestamp, rec->offset,
                                 item->header.leader_epoch};
      }
    }
  }
}

Result<std::optional<TimestampedOffset>> PartitionLog::FindByTimestamp(
    int64_t timestamp_ms) {
  TM_RETURN_IF_ERROR(Healthy());
  for (const auto& segment : segments_) {
    if (segment->MaxTimestamp().timestamp_ms < timestamp_ms) continue;
    TM_ASSIGN_OR_RETURN(auto found,
                        Note(FindInSegment(*segment, timestamp_ms)));
    if (found) return found;
  }
  return std::nullopt;
}

Result<std::optional<TimestampedOffset>> PartitionLog::FindMaxTimestamp() {
  TM_RETURN_IF_ERROR(Healthy());
  TimeIndex::Entry best;
  const Segment* best_segment = nullptr;
  for (const auto& segment : segments_) {
    const TimeIndex::Entry max = segment->MaxTimestamp();
    if (max.timestamp_ms > best.timestamp_ms) {
      best = max;
      best_segment = segment.get();
    }
  }
  if (best_segment == nullptr) return std::nullopt;
  TM_ASSIGN_OR_RETURN(auto found,
                      Note(FindInSegment(*best_segment, best.timestamp_ms)));
  return found;
}

}  // namespace tidemark::log
