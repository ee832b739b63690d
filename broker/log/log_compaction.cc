// The log's part of compaction: what may be cleaned, and how a cleaned segment
// takes the place of others.
//
// A cleaner writes the files of a segment beside the log, CLEANED, and syncs
// them. The owner reads them from then on. Then their names are changed, by the
// cleaner, or by a cut that cannot wait; a power cut leaves the first so many
// of these changes:
//
//   BASE.log.cleaned -> BASE.log.swap     from here on the new one counts
//   OLD.log -> OLD.log.deleted            of all that it takes the place of
//   BASE.index -> BASE.index.deleted      and BASE.index.cleaned -> BASE.index
//   BASE.log.swap -> BASE.log
//
// Recovery that finds a BASE.log.swap removes what is left of the others and
// gives it its name. The batches tell where it ends: where the last of those
// others did, for the last batch of a group always stays. A flipped bit must
// not tell it, so their checksums are looked at.

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "broker/log/compaction.h"
#include "broker/log/partition_log.h"

namespace tidemark::log {
namespace {

constexpr size_t kSwapWindow = 64 * 1024;

}  // namespace

Result<bool> PartitionLog::IsOverdue(const Segment& segment,
                                     int64_t now_ms) const {
  const int64_t lag = options_.config.max_compaction_lag_ms;
  if (lag == INT64_MAX) return false;
  TM_ASSIGN_OR_RETURN(const int64_t first, segment.FindFirstTimestamp());
  return first >= 0 && now_ms - first > lag;
}

Result<std::optional<Cleanable>> PartitionLog::FindCleanable(
    Offset high_watermark, int64_t now_ms) {
  TM_RETURN_IF_ERROR(Healthy());
  const LogConfig& config = options_.config;
  SettleSwap();
  Cleanable found;
  found.unfinished = swap_;
  found.dir = options_.dir;
  found.generation = durability_.generation();
  found.config = config;
  found.first_dirty = std::max(first_dirty_, start_);
  if (!config.compacted || producers_stale_) {
    // What has been begun has to end, whatever the settings are now.
    return swap_ == nullptr ? std::nullopt : std::optional(std::move(found));
  }
  found.has_aborted = has_aborted_;
  // A scan after a crash begins behind it.
  const Offset limit =
      std::min(LastStableOffset(high_watermark), mark_->synced());
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    const Offset end = segments_[i + 1]->base_offset();
    const bool dirty = end > found.first_dirty;
    if (end > limit) break;
    const int64_t newest = segment.MaxTimestamp().timestamp_ms;
    if (dirty && config.min_compaction_lag_ms > 0 &&
        newest > now_ms - config.min_compaction_lag_ms) {
      break;
    }
    if (dirty && found.dirty_bytes == 0) {
      TM_ASSIGN_OR_RETURN(found.overdue, Note(IsOverdue(segment, now_ms)));
    }
    (dirty ? found.dirty_bytes : found.clean_bytes) += segment.size();
    found.segments.push_back({segment.log_path(), segment.size(),
                              segment.base_offset(), end, newest});
  }
  if (found.segments.empty() && swap_ == nullptr) return std::nullopt;
  return found;
}

Result<std::map<ProducerId, LastOfProducer>> PartitionLog::LastOfProducers() {
  TM_RETURN_IF_ERROR(Healthy());
  TM_RETURN_IF_ERROR(Note(FreshProducers()));
  std::map<ProducerId, LastOfProducer> all;
  for (const auto& [id, producer] : producers_.producers()) {
    all[id] = {producer.count > 0 ? producer.last().last_offset : -1,
               producer.epoch};
  }
  return all;
}

void PartitionLog::CleanAtMost(Offset offset) {
  if (offset >= first_dirty_) return;
  first_dirty_ = offset;
  mark_->SetFirstDirty(offset);
}

// Until it is on disk nothing is acknowledged from a journal; with it, what is
// behind a gap would be more than a scan finds.
Status PartitionLog::NoteGaps() {
  if (gaps_) return {};
  TM_RETURN_IF_ERROR(fs_.Open(Path(kGapsFile), true));
  gaps_ = true;
  in_place_until_ = ++change_;
  return {};
}

void PartitionLog::LoadForgotten(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto found = ParseForgottenFileName(name);
    if (!found) continue;
    forgotten_ = forgotten_.id == 0 ? *found : Either(forgotten_, *found);
    forgotten_files_.push_back(Path(name));
  }
}

Result<std::vector<std::string>> PartitionLog::NoteForgotten(
    const Forgotten& forgotten) {
  const std::string path = Path(ForgottenFileName(forgotten));
  TM_RETURN_IF_ERROR(fs_.Open(path, true));
  forgotten_ = forgotten;
  return std::exchange(forgotten_files_, {path});
}

// Nothing is lost with the name: the copy begins anew once more.
Status PartitionLog::BeginFrom(const Forgotten& forgotten) {
  TM_RETURN_IF_ERROR(Healthy());
  CHECK(start_ == end());
  if (forgotten == forgotten_) return {};
  TM_ASSIGN_OR_RETURN(const auto others, Note(NoteForgotten(forgotten)));
  return Note(RemoveFiles(fs_, others));
}

// The segment has its own name by now.
void PartitionLog::SettleSwap() {
  if (swap_ == nullptr || !swap_->finished()) return;
  swap_ = nullptr;
  segments_[SegmentIndex(swap_base_)]->EndMove();
  changed_ = true;
  swapped_change_ = ++change_;
}

Status PartitionLog::FinishSwap() {
  if (swap_ == nullptr) return {};
  TM_RETURN_IF_ERROR(swap_->Finish());
  SettleSwap();
  return {};
}

Result<bool> PartitionLog::Replace(const CleanedGroup& cleaned) {
  TM_RETURN_IF_ERROR(Healthy());
  SettleSwap();
  if (swap_ || cleaned.generation != durability_.generation()) return false;
  const std::vector<CleanableSegment>& old = cleaned.replaced;
  const size_t first = SegmentIndex(old.front().base);
  for (size_t i = 0; i < old.size(); ++i) {
    if (first + i + 1 >= segments_.size()) return false;
    const Segment& segment = *segments_[first + i];
    if (segment.log_path() != old[i].path ||
        segment.base_offset() != old[i].base || segment.size() != old[i].size ||
        segments_[first + i + 1]->base_offset() != old[i].end) {
      return false;
    }
  }
  const Offset base = old.front().base, end = old.back().end;
  auto segment =
      std::make_unique<Segment>(fs_, options_.dir, base, kCleanedSuffix);
  TM_RETURN_IF_ERROR(Note(segment->Load()));
  TM_RETURN_IF_ERROR(Note(segment->BeginMove()));
  TM_RETURN_IF_ERROR(Note(NoteGaps()));
  if (cleaned.forgets) {
    const Offset below = std::max(forgotten_.below, end);
    TM_ASSIGN_OR_RETURN(auto others, Note(NoteForgotten(ForgetBelow(below))));
    cleaned.swap->Forgets(std::move(others));
  }
  const auto at = segments_.begin() + static_cast<ptrdiff_t>(first);
  *at = std::move(segment);
  segments_.erase(at + 1, at + static_cast<ptrdiff_t>(old.size()));
  hints_.fill({});
  // What was aborted there is in no index any more.
  newest_.ForgetBelow(end);
  cleaned.swap->Guard(mark_);
  if (options_.remove_later) {
    cleaned.swap->RemoveWith([later = options_.remove_later,
                              delay_ms = options_.config.file_delete_delay_ms](
                                 std::vector<std::string> files) {
      later(std::move(files), delay_ms);
    });
  }
  swap_ = cleaned.swap;
  swap_base_ = base;
  CheckInvariants();
  return true;
}

Status PartitionLog::Cleaned(uint64_t generation, Offset upto) {
  TM_RETURN_IF_ERROR(Healthy());
  SettleSwap();
  if (generation != durability_.generation() || upto <= first_dirty_) return {};
  TM_RETURN_IF_ERROR(Note(NoteGaps()));
  first_dirty_ = upto;
  mark_->SetFirstDirty(upto);
  return {};
}

Status PartitionLog::RecoverSwaps(std::vector<std::string>* names) {
  bool found = false;
  for (const std::string& name : *names) {
    if (!name.ends_with(kSwapSuffix)) continue;
    const auto base = ParseSegmentFileName(
        name.substr(0, name.size() - sizeof kSwapSuffix + 1), ".log");
    if (!base) continue;
    TM_RETURN_IF_ERROR(RecoverSwap(*base, *names));
    found = true;
  }
  if (!found) return {};
  TM_RETURN_IF_ERROR(fs_.SyncDirectory(options_.dir));
  TM_ASSIGN_OR_RETURN(*names, fs_.List(options_.dir));
  return {};
}

// Where the last batch of a cleaned segment ends that is what was written.
Result<PartitionLog::SwapEnd> PartitionLog::EndOfSwap(const std::string& path,
                                                      Offset base) const {
  TM_ASSIGN_OR_RETURN(auto file, fs_.Open(path, false));
  TM_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  BatchCursor cursor(*file, 0, size, BatchCursor::Want::kWholeBatches,
                     kSwapWindow);
  SwapEnd end{base, true};
  while (true) {
    const auto item = cursor.Next();
    if (!item && item.error().code != ErrorCode::kCorruptMessage) {
      return Fail(item.error());
    }
    end.whole = item && (!*item || (*item)->header.base_offset >= end.offset);
    if (!end.whole || !*item) return end;
    end.offset = (*item)->header.NextOffset();
  }
}

// One that is damaged takes the place of no more than it holds; where the first
// of the others is still there, all are, and it goes.
Status PartitionLog::RecoverSwap(Offset base,
                                 const std::vector<std::string>& names) {
  const std::string name = SegmentFileName(base, ".log");
  const std::string path = Path(name);
  TM_ASSIGN_OR_RETURN(const auto swap, EndOfSwap(path + kSwapSuffix, base));
  if (!swap.whole) {
    LOG(ERROR) << "damaged compaction partition="
               << ToString(options_.partition) << " base_offset=" << base
               << " right_until=" << swap.offset;
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return fs_.Remove(path + kSwapSuffix);
    }
  }
  const Offset end = std::max(swap.offset, base + 1);
  LOG(WARNING) << "compaction finished partition="
               << ToString(options_.partition) << " base_offset=" << base
               << " end_offset=" << end;
  for (const std::string& name : names) {
    for (const std::string_view suffix :
         {std::string_view(".log"), kIndexSuffixes[0], kIndexSuffixes[1],
          kIndexSuffixes[2]}) {
      const auto offset = ParseSegmentFileName(name, suffix);
      if (!offset || *offset < base || *offset >= end) continue;
      TM_RETURN_IF_ERROR(fs_.Remove(Path(name)));
    }
  }
  TM_RETURN_IF_ERROR(fs_.Rename(path + kSwapSuffix, path));
  swapped_.insert(base);
  return {};
}

}  // namespace tidemark::log
