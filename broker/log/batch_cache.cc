#include "broker/log/batch_cache.h"

#include <algorithm>
#include <cstring>

namespace tidemark::log {
namespace {

constexpr size_t kCacheChunk = 256 << 10;
// What is smaller is copied for its reader, so that one that is slow does not
// hold on to a whole chunk for it.
constexpr size_t kShared = kCacheChunk / 4;
// Of one log. Who is further behind reads the segment.
constexpr size_t kMostBatches = 32;

}  // namespace

std::optional<BatchCache::Place> BatchCache::Add(std::string_view head,
                                                 std::string_view rest) {
  const size_t size = head.size() + rest.size();
  if (size > limit_ / 2) return std::nullopt;
  if (chunks_.empty() || chunks_.back().capacity - chunks_.back().used < size) {
    const size_t capacity = std::min(std::max(kCacheChunk, size), limit_);
    while (!chunks_.empty() && bytes_ + capacity > limit_) {
      bytes_ -= chunks_.front().capacity;
      chunks_.pop_front();
      ++first_chunk_;
    }
    chunks_.push_back(
        {std::make_shared_for_overwrite<char[]>(capacity), capacity, 0});
    bytes_ += capacity;
  }
  Chunk& chunk = chunks_.back();
  const Place place{first_chunk_ + chunks_.size() - 1, chunk.used, size};
  char* to = chunk.bytes.get() + chunk.used;
  std::memcpy(to, head.data(), head.size());
  std::memcpy(to + head.size(), rest.data(), rest.size());
  chunk.used += size;
  return place;
}

SharedBytes BatchCache::Get(const Place* first, size_t count) const {
  size_t size = 0;
  bool one_run = true;
  for (size_t i = 0; i < count; ++i) {
    one_run &=
        first[i].chunk == first->chunk && first[i].at == first->at + size;
    size += first[i].size;
  }
  if (one_run && size >= kShared) {
    const Chunk& chunk = ChunkOf(*first);
    return SharedBytes(chunk.bytes, {chunk.bytes.get() + first->at, size});
  }
  auto copy = std::make_shared_for_overwrite<char[]>(size);
  char* to = copy.get();
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(to, ChunkOf(first[i]).bytes.get() + first[i].at, first[i].size);
    to += first[i].size;
  }
  const std::string_view all(copy.get(), size);
  return SharedBytes(std::move(copy), all);
}

void NewestBatches::Add(Offset base, Offset next, std::string_view head,
                        std::string_view rest) {
  if (cache_ == nullptr) return;
  const auto place = cache_->Add(head, rest);
  if (!place) return Clear();
  if (offsets_.size() == kMostBatches) {
    offsets_.erase(offsets_.begin());
    places_.erase(places_.begin());
  }
  offsets_.push_back({base, next});
  places_.push_back(*place);
}

void NewestBatches::ForgetBelow(Offset offset) {
  const auto kept = std::find_if(
      offsets_.begin(), offsets_.end(),
      [offset](const Range& range) { return range.base >= offset; });
  const auto count = kept - offsets_.begin();
  offsets_.erase(offsets_.begin(), kept);
  places_.erase(places_.begin(), places_.begin() + count);
}

std::optional<SharedBytes> NewestBatches::Read(Offset from, Offset below,
                                               size_t max_bytes,
                                               bool at_least_one) const {
  const auto found = std::upper_bound(
      offsets_.begin(), offsets_.end(), from,
      [](Offset offset, const Range& range) { return offset < range.next; });
  if (found == offsets_.end() || found->base > from) return std::nullopt;
  const auto first = static_cast<size_t>(found - offsets_.begin());
  if (!cache_->Has(places_[first])) return std::nullopt;
  size_t bytes = 0;
  size_t end = first;
  while (end < offsets_.size() && offsets_[end].next <= below) {
    const bool fits = bytes + places_[end].size <= max_bytes;
    if (!fits && (end > first || !at_least_one)) break;
    bytes += places_[end].size;
    ++end;
  }
  if (end == first) return SharedBytes();
  return cache_->Get(&places_[first], end - first);
}

}  // namespace tidemark::log
