#include "broker/log/compaction.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "broker/log/segment.h"

namespace tidemark::log {
namespace {

constexpr uint64_t kMostBytes = INT32_MAX;  // positions, as Kafka reads them

}  // namespace

NameSwap::NameSwap(io::FileSystem& fs, const std::string& dir,
                   const std::vector<CleanableSegment>& replaced,
                   bool has_aborted)
    : fs_(fs), dir_(dir) {
  const Offset base = replaced.front().base;
  const auto of = [&](Offset offset, std::string_view suffix,
                      std::string_view behind = "") {
    return dir + "/" + SegmentFileName(offset, suffix) + std::string(behind);
  };
  const auto remove = [&](Offset offset, std::string_view suffix) {
    names_.emplace_back(of(offset, suffix), of(offset, suffix, kDeletedSuffix));
    unused_.push_back(names_.back().second);
  };
  names_.emplace_back(of(base, ".log", kCleanedSuffix),
                      of(base, ".log", kSwapSuffix));
  for (const CleanableSegment& old : replaced) remove(old.base, ".log");
  for (const std::string_view suffix : kIndexSuffixes) {
    if (fs.Exists(of(base, suffix))) remove(base, suffix);
    if (suffix == ".txnindex" && !has_aborted) continue;
    names_.emplace_back(of(base, suffix, kCleanedSuffix), of(base, suffix));
  }
  names_.emplace_back(of(base, ".log", kSwapSuffix), of(base, ".log"));
  for (const CleanableSegment& old : replaced) {
    if (old.base == base) continue;
    for (const std::string_view suffix : kIndexSuffixes) {
      unused_.push_back(of(old.base, suffix));
    }
  }
}

void NameSwap::Forgets(std::vector<std::string> others) {
  unsynced_ = true;
  std::move(others.begin(), others.end(), std::back_inserter(unused_));
}

Status NameSwap::Finish() {
  std::lock_guard lock(mutex_);
  if (finished()) return {};
  const auto rename = [this] { return Rename(); };
  TM_RETURN_IF_ERROR(mark_ == nullptr ? Rename() : mark_->Put(0, rename));
  finished_.store(true, std::memory_order_release);
  return {};
}

Status NameSwap::Rename() {
  if (unsynced_) TM_RETURN_IF_ERROR(fs_.SyncDirectory(dir_));
  unsynced_ = false;
  for (; done_ < names_.size(); ++done_) {
    TM_RETURN_IF_ERROR(fs_.Rename(names_[done_].first, names_[done_].second));
  }
  // What stays is removed when the log is opened.
  if (remove_ && RenameDeleted(fs_, &unused_)) {
    remove_(std::move(unused_));
  } else {
    (void)RemoveFiles(fs_, unused_);
  }
  return {};
}

std::vector<SegmentGroup> GroupSegments(
    const std::vector<CleanableSegment>& segments, Offset end,
    int64_t segment_bytes) {
  std::vector<SegmentGroup> groups;
  uint64_t size = 0;
  const uint64_t most =
      std::min<uint64_t>(static_cast<uint64_t>(segment_bytes), kMostBytes);
  for (const CleanableSegment& segment : segments) {
    if (segment.base >= end) break;
    const bool fits = !groups.empty() && size + segment.size <= most &&
                      segment.end - 1 - groups.back().base() <= INT32_MAX;
    if (!fits) {
      groups.emplace_back();
      size = 0;
    }
    size += segment.size;
    groups.back().segments.push_back(segment);
  }
  return groups;
}

}  // namespace tidemark::log
