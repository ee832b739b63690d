#include "broker/log/epoch_cache.h"

#include <algorithm>

#include "broker/log/checkpoint.h"

namespace tidemark::log {

bool EpochCache::Assign(LeaderEpoch epoch, Offset start) {
  if (epoch < 0) return false;
  if (!entries_.empty() && entries_.back().epoch == epoch &&
      entries_.back().start <= start) {
    return false;
  }
  while (!entries_.empty() &&
         (entries_.back().epoch >= epoch || entries_.back().start >= start)) {
    entries_.pop_back();
  }
  entries_.push_back({epoch, start});
  return true;
}

bool EpochCache::Observe(LeaderEpoch epoch, Offset first, Offset last) {
  if (epoch < 0) return false;
  const size_t before = entries_.size();
  // No epoch can start in the middle of a batch.
  std::erase_if(entries_, [&](const Entry& entry) {
    return entry.start > first && entry.start <= last;
  });
  const bool changed = entries_.size() != before;
  if (EpochOf(first) == epoch) return changed;
  while (!entries_.empty() && entries_.back().start >= first) {
    entries_.pop_back();
  }
  while (!entries_.empty() && entries_.back().epoch > epoch) {
    entries_.pop_back();
  }
  if (entries_.empty() || entries_.back().epoch != epoch) {
    entries_.push_back({epoch, first});
  }
  return true;
}

bool EpochCache::TruncateFromEnd(Offset end) {
  return std::erase_if(entries_, [&](const Entry& entry) {
           return entry.start >= end;
         }) > 0;
}

bool EpochCache::TruncateFromStart(Offset start) {
  size_t covered = 0;  // entries that start at or before `start`
  while (covered < entries_.size() && entries_[covered].start <= start) {
    ++covered;
  }
  if (covered == 0 || (covered == 1 && entries_[0].start == start)) {
    return false;
  }
  entries_.erase(entries_.begin(),
                 entries_.begin() + static_cast<ptrdiff_t>(covered - 1));
  entries_.front().start = start;
  return true;
}

EpochEnd EpochCache::EndOffsetFor(LeaderEpoch epoch, Offset log_end) const {
  if (epoch < 0 || entries_.empty() || epoch > latest()) return {};
  if (epoch == latest()) return {epoch, log_end};
  auto higher =
      std::find_if(entries_.begin(), entries_.end(),
                   [&](const Entry& entry) { return entry.epoch > epoch; });
  if (higher == entries_.begin()) return {epoch, higher->start};
  return {std::prev(higher)->epoch, higher->start};
}

std::optional<LeaderEpoch> EpochCache::EpochOf(Offset offset) const {
  for (size_t i = entries_.size(); i-- > 0;) {
    if (entries_[i].start <= offset) return entries_[i].epoch;
  }
  return std::nullopt;
}

std::string EpochCache::Encode() const {
  std::string text = "0\n" + std::to_string(entries_.size()) + "\n";
  for (const Entry& entry : entries_) {
    text +=
        std::to_string(entry.epoch) + " " + std::to_string(entry.start) + "\n";
  }
  return text;
}

Result<EpochCache> EpochCache::Decode(std::string_view text) {
  TM_ASSIGN_OR_RETURN(auto lines, ParseCheckpointLines(text));
  EpochCache cache;
  for (std::string_view line : lines) {
    size_t space = line.find(' ');
    auto epoch = ParseNumber(line.substr(0, space));
    auto start = space == std::string_view::npos
                     ? std::nullopt
                     : ParseNumber(line.substr(space + 1));
    if (!epoch || !start || *epoch < 0 || *epoch > INT32_MAX || *start < 0 ||
        (!cache.entries_.empty() && (*epoch <= cache.entries_.back().epoch ||
                                     *start <= cache.entries_.back().start))) {
      return Fail(ErrorCode::kCorruptMessage,
                  "leader-epoch-checkpoint: bad line: " + std::string(line));
    }
    cache.entries_.push_back({static_cast<LeaderEpoch>(*epoch), *start});
  }
  return cache;
}

}  // namespace tidemark::log
