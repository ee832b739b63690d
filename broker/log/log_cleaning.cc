#include "broker/log/log_cleaning.h"

#include <algorithm>
#include <utility>

#include "broker/log/batch_cursor.h"

namespace tidemark::log {
namespace {

constexpr size_t kWindow = 1 << 20;
// So that a sync never has much to do at once: others sync beside it.
constexpr size_t kSyncEvery = 8 << 20;

// Reads a file for once, at a pace. Only reads.
class PacedFile final : public io::File {
 public:
  PacedFile(std::shared_ptr<io::File> file, CleaningPace& pace)
      : file_(std::move(file)), pace_(pace) {}

  Result<size_t> ReadAt(uint64_t at, char* to, size_t count) const override {
    if (!pace_.Spend(count)) return Fail(ErrorCode::kWouldWait);
    return file_->ReadOnceAt(at, to, count);
  }
  Status WriteAt(uint64_t, std::string_view) override { return Refuse(); }
  Status WriteAtV(uint64_t, std::span<const std::string_view>) override {
    return Refuse();
  }
  Status Truncate(uint64_t) override { return Refuse(); }
  Result<uint64_t> Size() const override { return file_->Size(); }
  Status Reserve(uint64_t) override { return Refuse(); }
  Status Sync() override { return Refuse(); }

 private:
  static Status Refuse() { return Fail(ErrorCode::kKafkaStorageError); }

  const std::shared_ptr<io::File> file_;
  CleaningPace& pace_;
};

}  // namespace

// Ends the pass: an error that Run knows.
Status LogCleaning::Stop(Outcome outcome) {
  outcome_ = outcome;
  return Fail(ErrorCode::kWouldWait);
}

// B-32: what was written may be lost, and is not written again.
Status LogCleaning::Synced(Status status) {
  if (!status && !io::IsShortage(status.error())) {
    log_.SyncFailed(status.error());
  }
  return status;
}

Result<LogCleaning::Outcome> LogCleaning::Run() {
  const auto run = [&]() -> Status {
    if (what_.unfinished) {
      TM_RETURN_IF_ERROR(what_.unfinished->Finish());
      return Stop(Outcome::kChanged);
    }
    TM_ASSIGN_OR_RETURN(lasts_, log_.LastOfProducers());
    TM_RETURN_IF_ERROR(MapKeys());
    const Offset end = keys_.latest() + 1;
    for (const SegmentGroup& group :
         GroupSegments(what_.segments, end, what_.config.segment_bytes)) {
      TM_RETURN_IF_ERROR(Clean(group));
    }
    TM_RETURN_IF_ERROR(Synced(fs_.SyncDirectory(what_.dir)));
    return log_.Cleaned(what_.generation, end);
  };
  const Status ran = run();
  if (ran) return Outcome::kDone;
  if (ran.error().code != ErrorCode::kWouldWait) return Fail(ran.error());
  return outcome_ == Outcome::kDone ? Outcome::kStopped : outcome_;
}

Status LogCleaning::Walk(const CleanableSegment& segment, const Each& each) {
  auto opened = fs_.Open(segment.path, false);
  if (!opened && !fs_.Exists(segment.path)) return Stop(Outcome::kChanged);
  TM_RETURN_IF_ERROR(opened);
  const PacedFile file(std::move(*opened), pace_);
  BatchCursor cursor(file, 0, segment.size, BatchCursor::Want::kWholeBatches,
                     kWindow);
  counts_.right = segment.base;
  Offset last = segment.base;  // no checksum covers where a batch begins
  while (!full_) {
    TM_ASSIGN_OR_RETURN(const auto item, cursor.Next());
    if (!item) break;
    if (item->header.base_offset < counts_.right) {
      counts_.right = last;
      return Fail(ErrorCode::kCorruptMessage, "offsets go back");
    }
    if (item->header.NextOffset() > segment.end) {
      return Fail(ErrorCode::kCorruptMessage, "offsets beyond the segment");
    }
    last = item->header.base_offset;
    TM_RETURN_IF_ERROR(each(item->header, item->bytes));
    counts_.read += item->bytes.size();
    counts_.right = item->header.NextOffset();
  }
  return {};
}

Status LogCleaning::Expect(Offset from, Offset below,
                           CleanedTransactions* transactions) {
  if (!what_.has_aborted) return {};
  TM_ASSIGN_OR_RETURN(const auto aborted, log_.AbortedIn(from, below));
  transactions->Expect(aborted);
  return {};
}

Status LogCleaning::MapKeys() {
  CleanedTransactions transactions;
  keys_.SetLatest(what_.first_dirty - 1);
  for (const CleanableSegment& segment : what_.segments) {
    if (segment.end <= what_.first_dirty) continue;
    TM_RETURN_IF_ERROR(Expect(segment.base, segment.end, &transactions));
    TM_RETURN_IF_ERROR(Walk(segment, [&](const record::BatchHeader& header,
                                         std::string_view batch) {
      return MapBatch(header, batch, &transactions);
    }));
    if (full_) break;
  }
  full_ = false;
  return {};
}

// What was aborted makes nothing obsolete.
Status LogCleaning::MapBatch(const record::BatchHeader& header,
                             std::string_view batch,
                             CleanedTransactions* transactions) {
  if (header.IsControl()) {
    if (IsMarker(header)) transactions->TakeMarker(header);
  } else if (!transactions->TakeBatch(header) &&
             header.NextOffset() > what_.first_dirty) {
    TM_RETURN_IF_ERROR(
        ForEachKey(batch, header, [&](const KeyedRecord& record) -> Status {
          if (full_ || !record.key || record.offset < what_.first_dirty) {
            return {};
          }
          full_ = !keys_.Put(*record.key, record.offset);
          if (!full_) keys_.SetLatest(record.offset);
          return {};
        }));
  }
  if (!full_ && header.LastOffset() > keys_.latest()) {
    keys_.SetLatest(header.LastOffset());
  }
  return {};
}

Status LogCleaning::Clean(const SegmentGroup& group) {
  Segment out(fs_, what_.dir, group.base(), kCleanedSuffix);
  bool taken = false;
  changed_ = group.segments.size() > 1;
  forgets_ = false;
  headers_.clear();
  bytes_.clear();
  const auto clean = [&]() -> Status {
    TM_RETURN_IF_ERROR(out.Create());
    TM_RETURN_IF_ERROR(CopyGroup(group, &out));
    if (!changed_) return RemoveFiles(fs_, out.Files());
    TM_ASSIGN_OR_RETURN(auto files, out.Seal());
    TM_ASSIGN_OR_RETURN(files.emplace_back(), out.LogFile());
    for (const auto& file : files) TM_RETURN_IF_ERROR(Synced(file->Sync()));
    const auto swap = std::make_shared<NameSwap>(
        fs_, what_.dir, group.segments, out.transactions().count() > 0);
    TM_ASSIGN_OR_RETURN(taken, log_.Replace({what_.generation, group.segments,
                                             forgets_, swap}));
    return taken ? swap->Finish() : Stop(Outcome::kChanged);
  };
  Status cleaned = clean();
  // What is left of them is removed when the log is opened.
  if (!cleaned && !taken) (void)RemoveFiles(fs_, out.Files());
  return cleaned;
}

Status LogCleaning::CopyGroup(const SegmentGroup& group, Segment* out) {
  for (const CleanableSegment& segment : group.segments) {
    TM_RETURN_IF_ERROR(Expect(segment.base, segment.end, &transactions_));
    TM_RETURN_IF_ERROR(
        Walk(segment,
             [&](const record::BatchHeader& header,
                 std::string_view batch) -> Status {
               const bool last = header.NextOffset() >= group.end();
               TM_ASSIGN_OR_RETURN(const auto filtered,
                                   Filter(header, batch, last, out));
               return Put(header, batch, filtered, out);
             }));
    if (counts_.right != segment.end) {
      return Fail(ErrorCode::kCorruptMessage, "the segment ends early");
    }
  }
  return FlushTo(out);
}

bool LogCleaning::IsLastOfProducer(const record::BatchHeader& header) const {
  if (!header.HasProducerId()) return false;
  const auto last = lasts_.find(header.producer_id);
  if (last == lasts_.end()) return false;
  if (last->second.batch >= 0) {
    return header.LastOffset() == last->second.batch;
  }
  return header.IsControl() && header.producer_epoch == last->second.epoch;
}

bool LogCleaning::Keeps(const KeyedRecord& record, bool horizon_passed) {
  if (record.offset > keys_.latest()) return true;
  if (!record.key) return false;
  const auto newest = keys_.Find(*record.key);
  if (newest && record.offset < *newest) return false;
  if (record.has_value || !horizon_passed) return true;
  forgets_ = true;
  return false;
}

Result<FilteredBatch> LogCleaning::FilterControl(
    const record::BatchHeader& header, std::string_view batch, bool must_stay,
    Segment* out) {
  FilteredBatch filtered{FilteredBatch::Fate::kAsItWas, "", header.record_count,
                         0};
  if (!IsMarker(header)) return filtered;
  const auto marker = transactions_.TakeMarker(header);
  if (marker.ends_nothing) {
    filtered = FilterMarker(batch, header, must_stay, times_);
    forgets_ |= filtered.fate == FilteredBatch::Fate::kGone;
  }
  // Without its marker it would go on for ever.
  if (marker.aborts && filtered.fate != FilteredBatch::Fate::kGone) {
    TM_RETURN_IF_ERROR(out->transactions().Append(*marker.aborts));
  }
  return filtered;
}

Result<FilteredBatch> LogCleaning::Filter(const record::BatchHeader& header,
                                          std::string_view batch, bool last,
                                          Segment* out) {
  const bool must_stay = last || IsLastOfProducer(header);
  if (header.IsControl()) return FilterControl(header, batch, must_stay, out);
  if (transactions_.TakeBatch(header)) return DropRecords(header, must_stay);
  return FilterRecords(
      batch, header,
      [this](const KeyedRecord& record, bool horizon_passed) {
        return Keeps(record, horizon_passed);
      },
      header.LastOffset() <= keys_.latest(), must_stay, times_);
}

Status LogCleaning::Put(const record::BatchHeader& header,
                        std::string_view batch, const FilteredBatch& filtered,
                        Segment* out) {
  counts_.kept += static_cast<uint64_t>(filtered.kept);
  counts_.dropped += static_cast<uint64_t>(filtered.dropped);
  if (filtered.fate == FilteredBatch::Fate::kAsItWas) {
    headers_.push_back(header);
    bytes_ += batch;
  } else {
    changed_ = true;
  }
  if (filtered.fate == FilteredBatch::Fate::kRewritten) {
    TM_ASSIGN_OR_RETURN(headers_.emplace_back(),
                        record::ParseBatchHeader(filtered.bytes));
    bytes_ += filtered.bytes;
  }
  return bytes_.size() < kWindow ? Status() : FlushTo(out);
}

Status LogCleaning::FlushTo(Segment* out) {
  if (headers_.empty()) return {};
  if (out->size() + bytes_.size() > INT32_MAX) {
    return Fail(ErrorCode::kRecordListTooLarge,
                "a segment would be larger than an index reaches");
  }
  if (!pace_.Spend(bytes_.size())) return Stop(Outcome::kStopped);
  TM_RETURN_IF_ERROR(
      out->Append(headers_, bytes_, {}, what_.config.index_interval_bytes));
  counts_.written += bytes_.size();
  unsynced_ += bytes_.size();
  if (unsynced_ >= kSyncEvery) {
    TM_ASSIGN_OR_RETURN(const auto file, out->LogFile());
    TM_RETURN_IF_ERROR(Synced(file->Sync()));
    unsynced_ = 0;
  }
  headers_.clear();
  bytes_.clear();
  return {};
}

}  // namespace tidemark::log
